package leaderboard.functions;

import static org.apache.flink.table.types.logical.LogicalTypeRoot.*;

import java.util.Arrays;
import org.apache.flink.metrics.Counter;
import org.apache.flink.shaded.guava33.com.google.common.hash.Hashing;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.ProjectedRowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StaticArgumentTrait;

/**
 * De-duplication that depends on nothing but the rows. Of the rows of a key with one id, the first
 * passes; another is a repetition when the minute of its time and that of the last one that passed
 * are at most so many apart.
 *
 * <pre>{@code
 * SELECT * FROM first_arrivals(
 *     input => TABLE payments PARTITION BY account,
 *     id => DESCRIPTOR(payment_id), time_millis => DESCRIPTOR(recorded_millis),
 *     within_minutes => 10, parts => 1,
 *     on_time => DESCRIPTOR(paid_at), uid => 'first-payments'
 * )
 * }</pre>
 *
 * <p>Gives the key, the other columns of the input but its time, and that as {@code rowtime}. A row
 * without an id always passes; with 0 minutes all rows do.
 *
 * <p>The ids of a key lie in so many parts. 1 is best on the heap. RocksDB reads and writes a
 * part whole for each row: there 1024 keep a key fast that has very many ids.
 */
public final class FirstArrivals extends KeyedFunction<FirstArrivals.Ids> {
    private static final long serialVersionUID = 1L;
    private static final long MINUTE_MILLIS = 60_000;
    // Watermarks are of all partitions, and one may be behind the others: ids stay so much longer.
    private static final int SPARE_MINUTES = 60;

    private final int id = column("id", VARCHAR);
    private final int time = column("time_millis", BIGINT);
    private final int within = number("within_minutes");
    private final int parts = number("parts");
    private final int[] passed = others();
    private transient ProjectedRowData output;
    private transient Counter repetitions;

    public FirstArrivals() {
        this(null);
    }

    private FirstArrivals(CallContext call) {
        super(call, FirstArrivals::new, Ids.class, StaticArgumentTrait.REQUIRE_ON_TIME);
        gives(passed);
    }

    @Override
    public void open(FunctionContext context) {
        output = ProjectedRowData.from(passed);
        repetitions = context.getMetricGroup().counter("repetitions");
    }

    public void eval(Context context, MapView<Integer, Ids> kept, RowData row, Object... rest)
            throws Exception {
        if (within == 0 || row.isNullAt(id)) {
            collect(output.replaceRow(row));
            return;
        }
        int minute = (int) (row.getLong(time) / MINUTE_MILLIS);
        byte[] text = row.getString(id).toBytes();
        long hash = Hashing.farmHashFingerprint64().hashBytes(text).asLong();
        int part = (int) Math.floorMod(hash >>> 32, (long) parts);
        Ids ids = got(kept, part, Ids::new);
        if (ids.size == 0) {
            context.timeContext(Long.class).registerOnTime(end(minute));
        }
        if (ids.add(hash, minute, within)) {
            collect(output.replaceRow(row));
        } else {
            repetitions.inc();
        }
        changed(kept, part, ids);
    }

    /** When a key is forgotten whose last id is of that minute. */
    private long end(int minute) {
        return (minute + within + SPARE_MINUTES) * MINUTE_MILLIS;
    }

    public void onTimer(OnTimerContext context, MapView<Integer, Ids> kept) throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        int last = 0;
        for (Ids ids : kept.values()) {
            last = Math.max(last, Arrays.stream(ids.minutes).max().orElseThrow());
        }
        if (end(last) > clock.time()) {
            clock.registerOnTime(end(last));
        } else {
            kept.clear();
        }
    }

    /**
     * Ids that were seen not long ago, each as 64 bits of hash and the minute in which it was last
     * counted: a hash table with open addressing, about 17 bytes an id. Two different ids are taken
     * for one with a chance of n / 2^64, where n is how many the key has had in that time.
     */
    public static class Ids {
        private static final int FEWEST = 4; // places; a power of two, as every number of them

        public long[] hashes = new long[FEWEST];
        public int[] minutes = new int[FEWEST]; // 0 where there is none
        public int size;

        /** Adds an id; false when it was there already, at most so many minutes away. */
        boolean add(long hash, int minute, int within) {
            int place = (int) hash & hashes.length - 1;
            while (minutes[place] != 0 && hashes[place] != hash) {
                place = place + 1 & hashes.length - 1;
            }
            if (minutes[place] != 0 && Math.abs(minute - minutes[place]) <= within) {
                return false;
            }
            size += minutes[place] == 0 ? 1 : 0;
            hashes[place] = hash;
            minutes[place] = minute;
            if (size > hashes.length - hashes.length / 4) {
                rebuild(Math.max(minute - within, 1), within);
            }
            return true;
        }

        /** Leaves out what is older, in a table that is as large as the rest needs. */
        private void rebuild(int oldest, int within) {
            long[] oldHashes = hashes;
            int[] oldMinutes = minutes;
            int left = (int) Arrays.stream(minutes).filter(minute -> minute >= oldest).count();
            int places = Integer.highestOneBit(Math.max(FEWEST, left * 3 / 2) - 1) << 1;
            hashes = new long[places];
            minutes = new int[places];
            size = 0;
            for (int i = 0; i < oldHashes.length; i++) {
                if (oldMinutes[i] >= oldest) {
                    add(oldHashes[i], oldMinutes[i], within);
                }
            }
        }
    }
}
