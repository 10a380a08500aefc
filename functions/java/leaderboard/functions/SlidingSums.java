package leaderboard.functions;

import static org.apache.flink.table.types.logical.LogicalTypeRoot.*;

import java.util.*;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.*;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StaticArgumentTrait;

/**
 * Sum and count of a value per key over several sliding windows that end together, once a slide.
 *
 * <pre>{@code
 * SELECT account, holder, sums[1] / counts[1] AS average_of_minute, rowtime
 * FROM sliding_sums(
 *     input => TABLE payments PARTITION BY account,
 *     summed => DESCRIPTOR(cents),
 *     slide_millis => 5000, windows_millis => '60000, 3600000',
 *     latest => DESCRIPTOR(holder), kept_minutes => 1440,
 *     on_time => DESCRIPTOR(paid_at), uid => 'payments-of-minute-and-hour'
 * )
 * }</pre>
 *
 * <p>Windows are multiples of the slide, the shortest first, and end at multiples of it. One is
 * told when the watermark passes its end, for keys with a row in the shortest. A row whose slide
 * has ended is left out.
 *
 * <p>Gives the key, the latest columns, {@code sums} and {@code counts} (ARRAY&lt;BIGINT&gt;, in
 * the order of the windows) and {@code rowtime}, a millisecond before the windows' end. latest
 * names STRING columns: each is the last value that was not NULL when the last row of the shortest
 * window came. A key that has no rows for kept_minutes is forgotten, and its latest with it; 0
 * keeps it for ever.
 */
public final class SlidingSums extends KeyedFunction<SlidingSums.Slides> {
    private static final long serialVersionUID = 1L;
    private static final int SUM = 1, COUNT = 2, WIDTH = 3; // of a slide's numbers

    private final int summed = column("summed", BIGINT);
    private final long slideMillis = number("slide_millis");
    private final long[] windows = numbers("windows_millis");
    private final int[] latest = columns("latest", VARCHAR, false);
    private final long keptMillis = number("kept_minutes") * 60_000L;
    private final int time = timeColumn();

    public SlidingSums() {
        this(null);
    }

    private SlidingSums(CallContext call) {
        super(call, SlidingSums::new, Slides.class, StaticArgumentTrait.REQUIRE_ON_TIME);
        gives(latest);
        gives(DataTypes.ARRAY(DataTypes.BIGINT().notNull()), "sums", "counts");
    }

    /** What is known of a key. Numbers in one array: a checkpoint copies and writes them at once. */
    public static class Slides {
        public long[] slides = {}; // of each its end, sum and count; the last had the last row
        public byte[][] latest;
        public Map<Long, byte[][]> former = new HashMap<>(0); // of slides that had others, by end
        public long forgottenAt;
        public long forgetTimer;
    }

    public void eval(Context context, MapView<Integer, Slides> kept, RowData row, Object... rest)
            throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        long watermark = Objects.requireNonNullElse(clock.currentWatermark(), Long.MIN_VALUE);
        long at = row.getTimestamp(time, 3).getMillisecond();
        long end = at - Math.floorMod(at, slideMillis) + slideMillis;
        Slides key = got(kept, 0, Slides::new);
        if (key.latest == null) {
            key.latest = new byte[latest.length][];
        }
        learn(key, texts(row, latest));
        if (end - 1 > watermark) {
            int last = last(key, end, watermark, clock);
            key.slides[last + SUM] += row.getLong(summed);
            key.slides[last + COUNT]++;
        }
        if (keptMillis > 0) {
            key.forgottenAt = Math.max(key.forgottenAt, end + keptMillis);
            if (key.forgetTimer == 0) {
                key.forgetTimer = key.forgottenAt;
                clock.registerOnTime(key.forgetTimer);
            }
        }
        changed(kept, 0, key);
    }

    /** Takes over what a row says that is new; the slides keep what they knew. */
    private static void learn(Slides key, byte[][] texts) {
        for (int i = 0; i < texts.length; i++) {
            texts[i] = texts[i] == null ? key.latest[i] : texts[i];
        }
        if (!Arrays.deepEquals(texts, key.latest)) {
            for (int i = 0; i < key.slides.length; i += WIDTH) {
                key.former.putIfAbsent(key.slides[i], key.latest);
            }
            key.latest = texts;
        }
    }

    /** The place of the slide that ends then, made the last. */
    private int last(Slides key, long end, long watermark, TimeContext<Long> clock) {
        int size = key.slides.length;
        key.former.remove(end);
        if (size > 0 && key.slides[size - WIDTH] == end) {
            return size - WIDTH;
        }
        long before = size == 0 ? end - windows[0] : key.slides[size - WIDTH];
        long longest = windows[windows.length - 1];
        long[] slides = new long[size + WIDTH];
        long[] slide = {end, 0, 0};
        int place = 0;
        for (int i = 0; i < size; i += WIDTH) {
            if (key.slides[i] == end) {
                System.arraycopy(key.slides, i, slide, 0, WIDTH);
            } else if (key.slides[i] - 1 + longest > watermark) {
                System.arraycopy(key.slides, i, slides, place, WIDTH);
                place += WIDTH;
            } else {
                key.former.remove(key.slides[i]);
            }
        }
        if (slide[COUNT] == 0 && (end < before || end >= before + windows[0])) {
            clock.registerOnTime(end - 1); // else the slide before has seen to it
        }
        System.arraycopy(slide, 0, slides, place, WIDTH);
        key.slides = Arrays.copyOf(slides, place + WIDTH);
        return place;
    }

    public void onTimer(OnTimerContext context, MapView<Integer, Slides> kept) throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        Slides key = kept.get(0);
        if (key == null) {
            return;
        }
        if (clock.time() != key.forgetTimer) {
            long end = clock.time() + 1;
            tell(key, end);
            tellNext(key, end + slideMillis, clock);
        } else if (key.forgottenAt <= clock.time()) {
            kept.clear();
        } else {
            key.forgetTimer = key.forgottenAt;
            clock.registerOnTime(key.forgetTimer);
            changed(kept, 0, key);
        }
    }

    /** Sees to the next windows with a row in the shortest: one timer at a time is enough. */
    private void tellNext(Slides key, long end, TimeContext<Long> clock) {
        long next = Long.MAX_VALUE;
        for (int i = 0; i < key.slides.length; i += WIDTH) {
            if (key.slides[i] + windows[0] > end) {
                next = Math.min(next, Math.max(key.slides[i], end) - 1);
            }
        }
        if (next < Long.MAX_VALUE) {
            clock.registerOnTime(next);
        }
    }

    private void tell(Slides key, long end) {
        long[] sums = new long[windows.length];
        long[] counts = new long[windows.length];
        byte[][] texts = key.latest;
        for (int place = 0; place < key.slides.length; place += WIDTH) {
            long slide = key.slides[place];
            for (int i = 0; i < windows.length; i++) {
                if (slide <= end && slide > end - windows[i]) {
                    sums[i] += key.slides[place + SUM];
                    counts[i] += key.slides[place + COUNT];
                    texts = i > 0 ? texts : key.former.getOrDefault(slide, key.latest);
                }
            }
        }
        tell(texts, new GenericArrayData(sums), new GenericArrayData(counts));
    }
}
