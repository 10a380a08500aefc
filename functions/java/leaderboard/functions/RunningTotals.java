package leaderboard.functions;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.types.ColumnList;

/**
 * Running sum, count and latest time of a value per period and key, told when they have changed,
 * once a tick; of a key in all, and of its parts.
 *
 * <pre>{@code
 * SELECT month, account, shop, holder, total, key_total, key_latest_millis
 * FROM running_totals(
 *     input => TABLE payments PARTITION BY account,
 *     summed => DESCRIPTOR(cents),
 *     time_millis => DESCRIPTOR(paid_millis),
 *     during => DESCRIPTOR(month),
 *     split_by => DESCRIPTOR(shop),
 *     latest => DESCRIPTOR(holder),
 *     arrival => DESCRIPTOR(arrival),
 *     kept_minutes => 44640,
 *     uid => 'payments-by-month-and-shop'
 * )
 * }</pre>
 *
 * <p>A tick is a watermark of the input: put a mini-batch assigner of processing time before it
 * (jobs/plans.py does), or the time of the rows is the clock. A row that is old by that clock comes
 * from a backlog, or late: its totals wait for a tenth of its age, 5 s at most.
 *
 * <p>Gives the key, the period (BIGINT), the columns of split_by (STRING; optional), the latest columns,
 * {@code total}, {@code row_count}, {@code latest_millis} and {@code arrival}, the key's greatest
 * (all BIGINT). With split_by these are of the part, and {@code key_total}, {@code key_row_count} and
 * {@code key_latest_millis} are of all the key's parts in the period. Rows are only added: the last
 * of a period, key and part counts. With values that are not negative it has the greatest totals, and
 * always the greatest arrival. The last row of a period and key tells the part that came last.
 *
 * <p>latest names STRING columns: each is the key's last value in the period that was not NULL, by
 * the greatest arrival (BIGINT); before there is one, the last that was known when the period's first
 * row came. When one changes, all totals of the key in that period are told anew.
 * A total that has not changed for kept_minutes of the clock is forgotten; 0 keeps it for ever.
 */
public final class RunningTotals extends ProcessTableFunction<RowData>
        implements SpecializedFunction {
    private static final long serialVersionUID = 1L;

    /** All totals of a key, and its latest values. */
    public static class Totals {
        public long[] totals = new long[0];
        public byte[][] by = new byte[0][]; // the columns of by, total for total
        public long[] periods = new long[0];
        public byte[][] latest = new byte[0][]; // the latest columns, period for period
        public long[] arrivals = new long[0];
        public long arrival; // the greatest
        public long tick; // at which the key is looked at next
        public long forgetAt;
    }

    // A total: its period, sum, count, latest time, and the tick that told it; 0 is yet to come.
    private static final int SUM = 1, COUNT = 2, TIME = 3, TOLD = 4, SIZE = 5;

    private static final long LONGEST_WAIT_MILLIS = 5_000;

    private static final List<Call.Argument> ARGUMENTS =
            List.of(
                    Call.Argument.columns("summed", LogicalTypeRoot.BIGINT),
                    Call.Argument.columns("time_millis", LogicalTypeRoot.BIGINT),
                    Call.Argument.columns("during", LogicalTypeRoot.BIGINT),
                    Call.Argument.optionalColumns("split_by", LogicalTypeRoot.VARCHAR),
                    Call.Argument.columns("latest", LogicalTypeRoot.VARCHAR),
                    Call.Argument.columns("arrival", LogicalTypeRoot.BIGINT),
                    Call.Argument.number("kept_minutes"));

    private final DataType input;
    private final int value;
    private final int time;
    private final int period;
    private final int[] by;
    private final int[] latest;
    private final int arrival;
    private final long keptMillis;

    public RunningTotals() {
        this(null);
    }

    private RunningTotals(Call call) {
        input = call == null ? null : call.input();
        value = call == null ? 0 : call.column("summed");
        time = call == null ? 0 : call.column("time_millis");
        period = call == null ? 0 : call.column("during");
        by = call == null ? null : call.columns("split_by");
        latest = call == null ? null : call.columns("latest");
        arrival = call == null ? 0 : call.column("arrival");
        keptMillis = call == null ? 0 : call.number("kept_minutes") * 60_000L;
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new RunningTotals(new Call(context.getCallContext(), ARGUMENTS));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        return Call.inference(
                types, input, false, ARGUMENTS, Totals.class, RunningTotals::fields);
    }

    private static List<DataTypes.Field> fields(CallContext context) {
        Call call = new Call(context, ARGUMENTS);
        List<DataTypes.Field> fields = new ArrayList<>();
        for (String argument : List.of("during", "split_by", "latest")) {
            fields.addAll(call.fields(call.columns(argument)));
        }
        List<String> told = new ArrayList<>(List.of("total", "row_count", "latest_millis", "arrival"));
        if (call.columns("split_by").length > 0) {
            told.addAll(List.of("key_total", "key_row_count", "key_latest_millis"));
        }
        told.forEach(name -> fields.add(DataTypes.FIELD(name, DataTypes.BIGINT().notNull())));
        return fields;
    }

    public void eval(
            Context context,
            MapView<Integer, Totals> kept,
            RowData row,
            ColumnList valueColumn,
            ColumnList timeColumn,
            ColumnList periodColumn,
            ColumnList byColumns,
            ColumnList latestColumns,
            ColumnList arrivalColumn,
            Integer keptFor)
            throws Exception {
        Totals key = kept.get(0);
        if (key == null) {
            key = new Totals();
        }
        int total = totalOf(key, row);
        if (row.getLong(arrival) >= key.arrival) {
            key.arrival = row.getLong(arrival);
            total = moveToEnd(key, total);
        }
        long[] totals = key.totals;
        totals[total + SUM] += row.getLong(value);
        totals[total + COUNT]++;
        totals[total + TIME] = Math.max(totals[total + TIME], row.getLong(time));
        boolean hasNews = learn(key, periodOf(key, totals[total]), row);
        boolean isLast = true;
        for (int i = totals.length - SIZE; i >= 0; i -= SIZE) {
            if (totals[i] == totals[total]) {
                totals[i + TOLD] = hasNews || isLast || i == total ? 0 : totals[i + TOLD];
                isLast = false;
            }
        }
        TimeContext<Long> clock = context.timeContext(Long.class);
        long tick = tickFor(row.getLong(time), clock.currentWatermark());
        if (key.tick == 0 || tick < key.tick) {
            key.tick = tick;
            clock.registerOnTime(tick);
        }
        kept.put(0, key);
    }

    private static long tickFor(long rowMillis, Long watermark) {
        if (watermark == null) {
            return 1;
        }
        long wait = Math.max(0, watermark - rowMillis) / 10;
        return watermark + 1 + Math.min(wait, LONGEST_WAIT_MILLIS);
    }

    /** Makes a total the last of its key, which is told last. Returns where it stands then. */
    private int moveToEnd(Totals key, int total) {
        int end = key.totals.length - SIZE;
        if (total < end) {
            rotate(key.totals, total, SIZE);
            rotate(key.by, total / SIZE * by.length, by.length);
        }
        return end;
    }

    /** Moves so many entries from there to the end of an array. */
    private static void rotate(Object array, int from, int size) {
        Object moved = Array.newInstance(array.getClass().getComponentType(), size);
        int behind = Array.getLength(array) - from - size;
        System.arraycopy(array, from, moved, 0, size);
        System.arraycopy(array, from + size, array, from, behind);
        System.arraycopy(moved, 0, array, from + behind, size);
    }

    /** Where the total of a row's period and part stands; a new one comes first. */
    private int totalOf(Totals key, RowData row) {
        long start = row.getLong(period);
        int columns = by.length;
        int count = key.totals.length / SIZE;
        for (int i = 0; i < count; i++) {
            if (key.totals[i * SIZE] == start && isBy(key, i * columns, row)) {
                return i * SIZE;
            }
        }
        long[] totals = new long[(count + 1) * SIZE];
        totals[0] = start;
        totals[TIME] = Long.MIN_VALUE;
        System.arraycopy(key.totals, 0, totals, SIZE, count * SIZE);
        key.totals = totals;
        byte[][] texts = new byte[(count + 1) * columns][];
        for (int i = 0; i < columns; i++) {
            texts[i] = row.getString(by[i]).toBytes();
        }
        System.arraycopy(key.by, 0, texts, columns, count * columns);
        key.by = texts;
        return 0;
    }

    private boolean isBy(Totals key, int from, RowData row) {
        for (int i = 0; i < by.length; i++) {
            if (!Text.isSame((BinaryStringData) row.getString(by[i]), key.by[from + i])) {
                return false;
            }
        }
        return true;
    }

    /** Which period starts then. A new one begins with what is known from others. */
    private int periodOf(Totals key, long start) {
        int columns = latest.length;
        int count = key.periods.length;
        for (int i = 0; i < count; i++) {
            if (key.periods[i] == start) {
                return i;
            }
        }
        key.periods = Arrays.copyOf(key.periods, count + 1);
        key.periods[count] = start;
        key.latest = Arrays.copyOf(key.latest, (count + 1) * columns);
        long[] known = new long[columns];
        for (int i = 0; i < count * columns; i++) {
            if (key.latest[i] != null && key.arrivals[i] >= known[i % columns]) {
                key.latest[count * columns + i % columns] = key.latest[i];
                known[i % columns] = key.arrivals[i];
            }
        }
        key.arrivals = Arrays.copyOf(key.arrivals, (count + 1) * columns);
        return count;
    }

    /** Takes over what a row says that is newer in its period; whether anything is. */
    private boolean learn(Totals key, int period, RowData row) {
        long arrived = row.getLong(arrival);
        boolean isNew = false;
        for (int i = 0, at = period * latest.length; i < latest.length; i++, at++) {
            if (!row.isNullAt(latest[i]) && arrived >= key.arrivals[at]) {
                byte[] bytes = Text.bytes(row.getString(latest[i]), key.latest[at]);
                isNew |= bytes != key.latest[at];
                key.latest[at] = bytes;
                key.arrivals[at] = arrived;
            }
        }
        return isNew;
    }

    public void onTimer(OnTimerContext context, MapView<Integer, Totals> kept) throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        long now = clock.currentWatermark();
        Totals key = kept.get(0);
        if (key == null) {
            return;
        }
        key.tick = 0;
        for (int i = 0; i < key.totals.length; i += SIZE) {
            if (key.totals[i + TOLD] == 0) {
                tell(key, i);
                key.totals[i + TOLD] = now;
            }
        }
        if (keptMillis > 0 && now < Long.MAX_VALUE) { // the end of a bounded input is no time
            forget(key, now);
            if (key.totals.length == 0) {
                kept.clear();
                return;
            }
            if (key.forgetAt <= now) {
                key.forgetAt = now + keptMillis;
                clock.registerOnTime(key.forgetAt);
            }
        }
        kept.put(0, key);
    }

    /** Leaves out the totals that have not changed for long. */
    private void forget(Totals key, long now) {
        int columns = by.length;
        int left = 0;
        for (int i = 0; i < key.totals.length; i += SIZE) {
            if (key.totals[i + TOLD] > now - keptMillis) {
                System.arraycopy(key.totals, i, key.totals, left * SIZE, SIZE);
                System.arraycopy(key.by, i / SIZE * columns, key.by, left * columns, columns);
                left++;
            }
        }
        if (left * SIZE < key.totals.length) {
            key.totals = Arrays.copyOf(key.totals, left * SIZE);
            key.by = Arrays.copyOf(key.by, left * columns);
            forgetPeriods(key);
        }
    }

    /** Leaves out the periods without a total. */
    private void forgetPeriods(Totals key) {
        int columns = latest.length;
        int left = 0;
        for (int i = 0; i < key.periods.length; i++) {
            if (hasTotal(key, key.periods[i])) {
                key.periods[left] = key.periods[i];
                System.arraycopy(key.latest, i * columns, key.latest, left * columns, columns);
                System.arraycopy(key.arrivals, i * columns, key.arrivals, left * columns, columns);
                left++;
            }
        }
        key.periods = Arrays.copyOf(key.periods, left);
        key.latest = Arrays.copyOf(key.latest, left * columns);
        key.arrivals = Arrays.copyOf(key.arrivals, left * columns);
    }

    private static boolean hasTotal(Totals key, long period) {
        for (int i = 0; i < key.totals.length; i += SIZE) {
            if (key.totals[i] == period) {
                return true;
            }
        }
        return false;
    }

    private void tell(Totals key, int total) {
        int columns = by.length;
        GenericRowData row = new GenericRowData(1 + columns + latest.length + (columns > 0 ? 7 : 4));
        int field = 0;
        row.setField(field++, key.totals[total]);
        for (int i = 0; i < columns; i++) {
            row.setField(field++, Text.of(key.by[total / SIZE * columns + i]));
        }
        int first = periodOf(key, key.totals[total]) * latest.length;
        for (int i = first; i < first + latest.length; i++) {
            row.setField(field++, Text.of(key.latest[i]));
        }
        row.setField(field++, key.totals[total + SUM]);
        row.setField(field++, key.totals[total + COUNT]);
        row.setField(field++, key.totals[total + TIME]);
        row.setField(field++, key.arrival);
        if (columns > 0) {
            tellKey(key, key.totals[total], row, field);
        }
        collect(row);
    }

    private static void tellKey(Totals key, long period, GenericRowData row, int field) {
        long sum = 0;
        long count = 0;
        long latestTime = Long.MIN_VALUE;
        for (int i = 0; i < key.totals.length; i += SIZE) {
            if (key.totals[i] == period) {
                sum += key.totals[i + SUM];
                count += key.totals[i + COUNT];
                latestTime = Math.max(latestTime, key.totals[i + TIME]);
            }
        }
        row.setField(field, sum);
        row.setField(field + 1, count);
        row.setField(field + 2, latestTime);
    }
}
