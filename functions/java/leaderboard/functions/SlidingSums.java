package leaderboard.functions;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.types.ColumnList;

/**
 * Sum and count of a value per key over several sliding windows that end together, once a slide.
 *
 * <pre>{@code
 * SELECT account, holder, sums[1] / counts[1] AS average_of_minute, rowtime
 * FROM sliding_sums(
 *     input => TABLE payments PARTITION BY account,
 *     summed => DESCRIPTOR(cents),
 *     slide_millis => 5000,
 *     windows_millis => '60000, 3600000',
 *     at_least => 3,
 *     latest => DESCRIPTOR(holder),
 *     kept_minutes => 1440,
 *     on_time => DESCRIPTOR(paid_at),
 *     uid => 'payments-of-minute-and-hour'
 * )
 * }</pre>
 *
 * <p>Windows are multiples of the slide, the shortest first, and end at multiples of it. One is told
 * when the watermark passes its end, for keys with so many rows in the shortest. A row whose slide
 * has ended is left out.
 *
 * <p>Gives the key, the latest columns, {@code sums} and {@code counts} (ARRAY&lt;BIGINT&gt;, in the
 * order of the windows) and {@code rowtime}, a millisecond before the windows' end. latest names
 * STRING columns: each is the last value that was not NULL when the last row of the
 * shortest window came. A key that has no rows for kept_minutes is forgotten, and its latest
 * with it; 0 keeps it for ever.
 *
 * <p>Costs nothing for windows that are not told, and a few additions for each that is; state is one
 * entry a key, with 40 bytes for each slide of the longest window that has rows.
 */
public final class SlidingSums extends ProcessTableFunction<RowData>
        implements SpecializedFunction {
    private static final long serialVersionUID = 1L;

    /** What a key did, by slide in ascending order, and until when it is kept. */
    public static class Slides {
        public long[] slides = new long[0];
        public byte[][] texts; // versions of the latest columns, one after the other
        public long forgottenAt;
        public long forgetTimer;
    }

    // A slide in `slides`: its end, sum, count, which windows have a timer, the version of texts.
    private static final int SUM = 1, COUNT = 2, TIMERS = 3, VERSION = 4, SIZE = 5;

    private static final List<Call.Argument> ARGUMENTS =
            List.of(
                    Call.Argument.columns("summed", LogicalTypeRoot.BIGINT),
                    Call.Argument.number("slide_millis"),
                    Call.Argument.text("windows_millis"),
                    Call.Argument.number("at_least"),
                    Call.Argument.columns("latest", LogicalTypeRoot.VARCHAR),
                    Call.Argument.number("kept_minutes"));

    private final DataType input;
    private final int value;
    private final int time;
    private final int[] latest;
    private final long slideMillis;
    private final long[] windows;
    private final long atLeast;
    private final long keptMillis;

    public SlidingSums() {
        this(null);
    }

    private SlidingSums(Call call) {
        input = call == null ? null : call.input();
        value = call == null ? 0 : call.column("summed");
        time = call == null ? 0 : call.timeColumn();
        latest = call == null ? null : call.columns("latest");
        slideMillis = call == null ? 0 : call.number("slide_millis");
        windows = call == null ? null : windows(call.text("windows_millis"));
        atLeast = call == null ? 0 : call.number("at_least");
        keptMillis = call == null ? 0 : call.number("kept_minutes") * 60_000L;
    }

    private static long[] windows(String listed) {
        return Arrays.stream(listed.split(",")).map(String::trim).mapToLong(Long::parseLong).toArray();
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new SlidingSums(new Call(context.getCallContext(), ARGUMENTS));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        return Call.inference(types, input, true, ARGUMENTS, Slides.class, SlidingSums::fields);
    }

    private static List<DataTypes.Field> fields(CallContext context) {
        Call call = new Call(context, ARGUMENTS);
        List<DataTypes.Field> fields = new ArrayList<>(call.fields(call.columns("latest")));
        fields.add(DataTypes.FIELD("sums", DataTypes.ARRAY(DataTypes.BIGINT().notNull())));
        fields.add(DataTypes.FIELD("counts", DataTypes.ARRAY(DataTypes.BIGINT().notNull())));
        return fields;
    }

    public void eval(
            Context context,
            MapView<Integer, Slides> kept,
            RowData row,
            ColumnList valueColumn,
            Integer slide,
            String windowList,
            Integer least,
            ColumnList latestColumns,
            Integer keptFor)
            throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        Long watermark = clock.currentWatermark();
        long at = row.getTimestamp(time, 3).getMillisecond();
        long end = at - Math.floorMod(at, slideMillis) + slideMillis;
        Slides key = kept.get(0);
        if (key == null) {
            key = new Slides();
            key.texts = new byte[latest.length][];
        }
        long version = version(key, row);
        if (watermark == null || end - 1 > watermark) {
            int place = slideOf(key, end, watermark);
            key.slides[place + SUM] += row.getLong(value);
            key.slides[place + COUNT]++;
            key.slides[place + VERSION] = version;
            setTimers(key, place, clock);
        }
        if (keptMillis > 0) {
            key.forgottenAt = Math.max(key.forgottenAt, end + keptMillis);
            if (key.forgetTimer == 0) {
                key.forgetTimer = key.forgottenAt;
                clock.registerOnTime(key.forgetTimer);
            }
        }
        kept.put(0, key);
    }

    /** Where the slide stands that ends then, added if it is new; those of no more use go. */
    private int slideOf(Slides key, long end, Long watermark) {
        long[] all = key.slides;
        int place = all.length;
        while (place > 0 && all[place - SIZE] > end) {
            place -= SIZE;
        }
        if (place > 0 && all[place - SIZE] == end) {
            return place - SIZE;
        }
        int first = 0;
        if (watermark != null) {
            long longest = windows[windows.length - 1];
            while (first < place && all[first] <= watermark + 1 - longest) {
                first += SIZE;
            }
        }
        key.slides = new long[all.length - first + SIZE];
        System.arraycopy(all, first, key.slides, 0, place - first);
        System.arraycopy(all, place, key.slides, place - first + SIZE, all.length - place);
        key.slides[place - first] = end;
        return place - first;
    }

    /** The version of the texts that a row brings: the last one, if it says nothing new. */
    private long version(Slides key, RowData row) {
        int columns = latest.length;
        byte[][] texts = Arrays.copyOfRange(key.texts, key.texts.length - columns, key.texts.length);
        boolean isNew = false;
        for (int i = 0; i < columns; i++) {
            if (!row.isNullAt(latest[i])) {
                byte[] bytes = Text.bytes(row.getString(latest[i]), texts[i]);
                isNew |= bytes != texts[i];
                texts[i] = bytes;
            }
        }
        if (isNew) {
            int first = leaveOutVersions(key) * columns;
            byte[][] known = Arrays.copyOfRange(key.texts, first, key.texts.length + columns);
            System.arraycopy(texts, 0, known, known.length - columns, columns);
            key.texts = known;
        }
        return columns == 0 ? 0 : key.texts.length / columns - 1;
    }

    /** Counts the versions anew from the first that a slide has. Returns how many went. */
    private static int leaveOutVersions(Slides key) {
        long first = Long.MAX_VALUE;
        for (int i = 0; i < key.slides.length; i += SIZE) {
            first = Math.min(first, key.slides[i + VERSION]);
        }
        for (int i = 0; i < key.slides.length; i += SIZE) {
            key.slides[i + VERSION] -= first;
        }
        return first == Long.MAX_VALUE ? 0 : (int) first;
    }

    /** Sets a timer for each window with this slide that is to be told and has none yet. */
    private void setTimers(Slides key, int slide, TimeContext<Long> clock) {
        long shortest = windows[0];
        for (int i = 0; i < shortest / slideMillis; i++) {
            long end = key.slides[slide] + i * slideMillis;
            long timer = 1L << i;
            boolean hasTimer = (key.slides[slide + TIMERS] & timer) != 0;
            if (!hasTimer && total(key.slides, COUNT, end, shortest) >= atLeast) {
                key.slides[slide + TIMERS] |= timer;
                clock.registerOnTime(end - 1);
            }
        }
    }

    /** What the slides of a window have together. */
    private static long total(long[] slides, int what, long end, long window) {
        long total = 0;
        for (int i = slides.length - SIZE; i >= 0 && slides[i] > end - window; i -= SIZE) {
            total += slides[i] <= end ? slides[i + what] : 0;
        }
        return total;
    }

    public void onTimer(OnTimerContext context, MapView<Integer, Slides> kept) throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        Slides key = kept.get(0);
        if (key == null) {
            return;
        }
        long end = clock.time() + 1;
        if (total(key.slides, COUNT, end, windows[0]) >= atLeast) {
            tell(key, end);
        }
        if (clock.time() == key.forgetTimer) {
            if (key.forgottenAt <= clock.time()) {
                kept.clear();
                return;
            }
            key.forgetTimer = key.forgottenAt;
            clock.registerOnTime(key.forgetTimer);
            kept.put(0, key);
        }
    }

    private void tell(Slides key, long end) {
        long[] sums = new long[windows.length];
        long[] counts = new long[windows.length];
        for (int i = 0; i < windows.length; i++) {
            sums[i] = total(key.slides, SUM, end, windows[i]);
            counts[i] = total(key.slides, COUNT, end, windows[i]);
        }
        long version = 0;
        for (int i = 0; i < key.slides.length && key.slides[i] <= end; i += SIZE) {
            if (key.slides[i] > end - windows[0]) {
                version = Math.max(version, key.slides[i + VERSION]);
            }
        }
        GenericRowData row = new GenericRowData(latest.length + 2);
        for (int i = 0; i < latest.length; i++) {
            row.setField(i, Text.of(key.texts[(int) version * latest.length + i]));
        }
        row.setField(latest.length, new GenericArrayData(sums));
        row.setField(latest.length + 1, new GenericArrayData(counts));
        collect(row);
    }
}
