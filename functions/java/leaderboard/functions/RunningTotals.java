package leaderboard.functions;

import static org.apache.flink.table.types.logical.LogicalTypeRoot.*;

import java.util.*;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.*;
import org.apache.flink.table.types.inference.CallContext;

/**
 * Running sum, count and latest time of a value per period and key, told when they have changed,
 * once a tick; of a key in all, and of its parts.
 *
 * <pre>{@code
 * SELECT month, account, shop, holder, total, key_total, key_latest_millis
 * FROM running_totals(
 *     input => TABLE payments PARTITION BY account,
 *     summed => DESCRIPTOR(cents), time_millis => DESCRIPTOR(paid_millis),
 *     during => DESCRIPTOR(month), split_by => DESCRIPTOR(shop),
 *     latest => DESCRIPTOR(holder), arrival => DESCRIPTOR(arrival),
 *     kept_minutes => 44640, uid => 'payments-by-month-and-shop'
 * )
 * }</pre>
 *
 * <p>A tick is a watermark of the input: put a mini-batch assigner of processing time before it
 * (jobs/plans.py does), or the time of the rows is the clock. The first change since a tick is told
 * at once, others at the next. A row that is older than 200 ms by that clock comes late, or from a
 * backlog: its totals wait for half of what it is older, 5 s at most. So a job that does not keep up
 * tells less, and catches up.
 *
 * <p>Gives the key, the period (BIGINT), the columns of split_by (STRING; optional), the latest
 * columns, {@code total}, {@code row_count} and {@code latest_millis} of the part, {@code arrival},
 * the key's greatest, and {@code key_total}, {@code key_row_count} and {@code key_latest_millis} of
 * all the key's parts in the period (all BIGINT). Rows are only added: the last of a period, key
 * and part counts. With values that are not negative it has the greatest totals, and always the
 * greatest arrival. The last row of a period and key tells the part that came last.
 *
 * <p>latest names STRING columns: each is the key's last value in the period that was not NULL, by
 * the greatest arrival (BIGINT); before there is one, the last that was known of the key when the
 * period's last row came. When one changes, all totals of the key in that period are told anew. A
 * total that has not changed for kept_minutes of the clock is forgotten; 0 keeps it for ever.
 */
public final class RunningTotals extends KeyedFunction<RunningTotals.Totals> {
    private static final long serialVersionUID = 1L;
    private static final long FRESH_MILLIS = 200;
    private static final long LONGEST_WAIT_MILLIS = 5_000;

    private final int summed = column("summed", BIGINT);
    private final int time = column("time_millis", BIGINT);
    private final int period = column("during", BIGINT);
    private final int[] splitBy = columns("split_by", VARCHAR, true);
    private final int[] latest = columns("latest", VARCHAR, false);
    private final int arrival = column("arrival", BIGINT);
    private final long keptMillis = number("kept_minutes") * 60_000L;

    public RunningTotals() {
        this(null);
    }

    private RunningTotals(CallContext call) {
        super(call, RunningTotals::new, Totals.class);
        var sum = DataTypes.BIGINT().notNull();
        gives(period);
        gives(splitBy);
        gives(latest);
        gives(sum, "total", "row_count", "latest_millis", "arrival");
        gives(sum, "key_total", "key_row_count", "key_latest_millis");
    }

    /** What is known of a key. */
    public static class Totals {
        public List<Total> totals = new ArrayList<>(1); // in the order in which they are told
        public long arrival; // the greatest
        public long tick; // at which the key is looked at next; 0 is none
        public long toldAt; // the last tick
        public long forgetAt;
    }

    /** The total of a part in a period, or of all parts. */
    public static class Total {
        public long period;
        public byte[][] part;
        public byte[][] latest; // of the period
        public long[] arrivals; // of the latest
        public long sum;
        public long count;
        public long latestMillis = Long.MIN_VALUE;
        public long toldAt; // the tick; 0 is yet to come

        void add(long sum, long count, long latestMillis) {
            this.sum += sum;
            this.count += count;
            this.latestMillis = Math.max(this.latestMillis, latestMillis);
        }

        /** Takes over the texts that arrived after its own. Returns whether any is new. */
        boolean learn(byte[][] texts, long[] arrived) {
            boolean isNew = false;
            for (int i = 0; i < latest.length; i++) {
                if (texts[i] != null && arrived[i] >= arrivals[i]) {
                    arrivals[i] = arrived[i];
                    if (!Arrays.equals(latest[i], texts[i])) {
                        latest[i] = texts[i];
                        isNew = true;
                    }
                }
            }
            return isNew;
        }
    }

    public void eval(Context context, MapView<Integer, Totals> kept, RowData row, Object... rest)
            throws Exception {
        Totals key = got(kept, 0, Totals::new);
        long millis = row.getLong(time);
        long arrived = row.getLong(arrival);
        byte[][] texts = texts(row, latest);
        long[] arrivals = new long[latest.length];
        Arrays.fill(arrivals, arrived);
        Total total = total(key, row.getLong(period), texts(row, splitBy));
        total.add(row.getLong(summed), 1, millis);
        for (int i = 0; i < latest.length; i++) {
            if (texts[i] == null && total.arrivals[i] == 0) {
                texts[i] = known(key, i); // gives way to the period's own
                arrivals[i] = 0;
            }
        }
        if (arrived >= key.arrival) {
            key.arrival = arrived;
            if (key.totals.get(key.totals.size() - 1) != total) {
                key.totals.remove(total);
                key.totals.add(total);
            }
        }
        Total last = total;
        for (Total each : key.totals) {
            if (each.period == total.period) {
                each.toldAt = each.learn(texts, arrivals) ? 0 : each.toldAt;
                last = each;
            }
        }
        total.toldAt = 0;
        last.toldAt = 0;
        TimeContext<Long> clock = context.timeContext(Long.class);
        long watermark = Objects.requireNonNullElse(clock.currentWatermark(), 0L);
        long wait = Math.max(0, watermark - millis - FRESH_MILLIS) / 2;
        long tick = watermark + 1 + Math.min(wait, LONGEST_WAIT_MILLIS);
        if (key.tick == 0 && wait == 0 && key.toldAt < watermark) {
            tellChanges(key, watermark, clock);
        } else if (key.tick == 0 || tick < key.tick) {
            key.tick = tick;
            clock.registerOnTime(tick);
        }
        changed(kept, 0, key);
    }

    /** The total of a part in a period; a new one comes first. */
    private Total total(Totals key, long period, byte[][] part) {
        for (Total each : key.totals) {
            if (each.period == period && Arrays.deepEquals(each.part, part)) {
                return each;
            }
        }
        Total total = new Total();
        total.period = period;
        total.part = part;
        total.latest = new byte[latest.length][];
        total.arrivals = new long[latest.length];
        key.totals.stream()
                .filter(each -> each.period == period)
                .forEach(each -> total.learn(each.latest, each.arrivals));
        key.totals.add(0, total);
        return total;
    }

    /** The last text of a column that is known of the key, of any period. */
    private static byte[] known(Totals key, int column) {
        byte[] text = null;
        long newest = 0;
        for (Total each : key.totals) {
            if (each.latest[column] != null && each.arrivals[column] >= newest) {
                text = each.latest[column];
                newest = each.arrivals[column];
            }
        }
        return text;
    }

    public void onTimer(OnTimerContext context, MapView<Integer, Totals> kept) throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        long now = clock.currentWatermark();
        Totals key = kept.get(0);
        if (key == null) {
            return;
        }
        key.tick = 0;
        tellChanges(key, now, clock);
        if (key.totals.isEmpty()) {
            kept.clear();
        } else {
            changed(kept, 0, key);
        }
    }

    /** Tells the totals that have changed, and forgets those that have not for long. */
    private void tellChanges(Totals key, long now, TimeContext<Long> clock) {
        for (Total total : key.totals) {
            if (total.toldAt == 0) {
                tell(key, total);
                total.toldAt = now;
            }
        }
        key.toldAt = now;
        if (keptMillis > 0 && now < Long.MAX_VALUE) { // the end of a bounded input is no time
            key.totals.removeIf(total -> total.toldAt <= now - keptMillis);
            if (key.forgetAt <= now && !key.totals.isEmpty()) {
                key.forgetAt = now + keptMillis;
                clock.registerOnTime(key.forgetAt);
            }
        }
    }

    private void tell(Totals key, Total total) {
        Total all = new Total();
        for (Total each : key.totals) {
            if (each.period == total.period) {
                all.add(each.sum, each.count, each.latestMillis);
            }
        }
        tell(
                total.period, total.part, total.latest,
                total.sum, total.count, total.latestMillis, key.arrival,
                all.sum, all.count, all.latestMillis);
    }
}
