package leaderboard.functions;

import static org.apache.flink.table.types.logical.LogicalTypeRoot.*;

import java.util.*;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.data.*;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.types.inference.CallContext;

/**
 * The best entrants of many periods, by the sum of one value over the sum of another: in all of the
 * period, and in a window of it that slides. Periods are rows, which may come and change at any
 * time; a row of the input may count in many of them.
 *
 * <pre>{@code
 * SELECT period_id, is_recent, place, rank_number, entrant, upper_sum, lower_sum, row_count
 * FROM period_leaders(
 *     input => TABLE orders PARTITION BY country,
 *     periods => TABLE sales PARTITION BY country,
 *     entrant => DESCRIPTOR(shop), kind => DESCRIPTOR(article),
 *     ratio => DESCRIPTOR(returned_cents, sold_cents),
 *     times => DESCRIPTOR(ordered_millis, recorded_millis),
 *     terms => DESCRIPTOR(
 *         sale, start_millis, end_millis, closes_millis, window_millis, least_orders, places),
 *     kinds => DESCRIPTOR(articles),
 *     slide_millis => 10000, kept_minutes => 44640, uid => 'sales'
 * )
 * }</pre>
 *
 * <p>A row counts in a period when its first time is in [start, end), its second before {@code
 * closes}, and its kind among {@code kinds}: numbers separated by commas; none is all. So nothing
 * depends on the order in which rows come. A period with 0 places is none. The row of a period that
 * is known already takes its place: all is added up anew from the rows that are kept.
 *
 * <p>A row of {@code periods} without an id moves the windows: they end at its {@code end}. One
 * without that either says only that time goes on. When no window has ended for a minute of the
 * clock, they go on by the clock, so that they empty when nothing comes any more.
 *
 * <p>Listed is who has a lower sum above 0 and at least so many rows: the greatest ratio first,
 * compared exactly, then the greater lower sum, then the smaller entrant. Ratios that are equal share
 * a rank. All values are BIGINT; sums wrap around beyond 2^63.
 *
 * <p>Gives the keys, the period, whether the row is of the window ({@code is_recent}), {@code
 * place}, {@code rank_number}, the entrant, {@code upper_sum}, {@code lower_sum}, {@code row_count},
 * and {@code window_end}. The last row of a period, is_recent and place counts; without a entrant,
 * nobody has the place. The place 0 has the sums of everybody, and as its entrant the number of them.
 *
 * <p>What has changed is told once a tick ({@link RunningTotals} says what that is), a second apart
 * at least, or 5 seconds while rows come from a backlog. What has been told is known to the running
 * job alone: after a recovery all is told anew, whatever was told before it.
 *
 * <p>A row is kept, in 40 bytes, for kept_minutes behind the newest, and longer while a period that
 * is not closed needs it; 0 keeps it for ever. A period that has been closed for so long is left
 * as it was told.
 */
public final class PeriodLeaders extends KeyedFunction<PeriodLeaders.Entrant> {
    private static final long serialVersionUID = 1L;
    private static final long TICK_MILLIS = 1_000;
    private static final long BUSY_TICK_MILLIS = 5_000;
    private static final long BACKLOG_MILLIS = 5_000;
    private static final long SILENT_MILLIS = 60_000;

    private final int periods = table("periods");
    private final int entrant = column("entrant", BIGINT);
    private final int kind = column("kind", BIGINT);
    private final int[] ratio = columns("ratio", BIGINT, false);
    private final int[] times = columns("times", BIGINT, false);
    private final int[] period = columns("terms", BIGINT, false, periods);
    private final int[] kinds = columns("kinds", VARCHAR, false, periods);
    private final long slideMillis = number("slide_millis");
    private final long keptMillis = number("kept_minutes") * 60_000L;
    private transient Map<Long, Boards> boardsByKey;

    public PeriodLeaders() {
        this(null);
    }

    private PeriodLeaders(CallContext call) {
        super(call, PeriodLeaders::new, Entrant.class);
        keeps("shared", Shared.class);
        var number = DataTypes.BIGINT();
        gives(number, "period_id");
        gives(DataTypes.BOOLEAN(), "is_recent");
        gives(number, "place", "rank_number", "entrant", "upper_sum", "lower_sum", "row_count");
        gives(number, "window_end");
    }

    @Override
    public void open(FunctionContext context) {
        boardsByKey = new HashMap<>();
    }

    /** What is known of a key beside its entrants. */
    public static class Shared {
        public long key = ThreadLocalRandom.current().nextLong(); // by which this job knows it
        public List<Period> periods = new ArrayList<>();
        public int entrants;
        public long newest; // time of a row
        public long windowEnd; // the greatest that was told to us
        public long windowClock; // when it came
        public long tick; // at which the key is looked at next; 0 is none
        public long trimmedAt; // of the newest row
    }

    /** The row of a period. */
    public static class Period {
        public long id;
        public long start;
        public long end;
        public long closes;
        public long window;
        public long least;
        public long places;
        public long[] kinds; // in their order

        /** Whether a row of a entrant counts in all of the period. */
        boolean counts(Entrant entrant, int row) {
            return entrant.millis[row] >= start
                    && entrant.millis[row] < end
                    && entrant.recorded[row] < closes
                    && (kinds.length == 0 || Arrays.binarySearch(kinds, entrant.kinds[row]) >= 0);
        }

        boolean isLike(Period other) {
            return id == other.id && start == other.start && end == other.end
                    && closes == other.closes && window == other.window && least == other.least
                    && places == other.places && Arrays.equals(kinds, other.kinds);
        }
    }

    /** The rows of a entrant, by their time. */
    public static class Entrant {
        public long id;
        public int size;
        public long[] millis = new long[4];
        public long[] recorded = new long[4];
        public long[] kinds = new long[4];
        public long[] uppers = new long[4];
        public long[] lowers = new long[4];

        /** The place of the first row that is not before a time. */
        int from(long time) {
            int place = Arrays.binarySearch(millis, 0, size, time);
            place = place < 0 ? -place - 1 : place;
            while (place > 0 && millis[place - 1] == time) {
                place--;
            }
            return place;
        }

        /** Adds a row. Returns its place. */
        int add(long time, long recordedAt, long kind, long upper, long lower) {
            int place = size == 0 || millis[size - 1] <= time ? size : from(time);
            millis = with(millis, place, time);
            recorded = with(recorded, place, recordedAt);
            kinds = with(kinds, place, kind);
            uppers = with(uppers, place, upper);
            lowers = with(lowers, place, lower);
            size++;
            return place;
        }

        private long[] with(long[] values, int place, long value) {
            long[] wider =
                    size < values.length ? values : Arrays.copyOf(values, size + size / 4 + 4);
            System.arraycopy(wider, place, wider, place + 1, size - place);
            wider[place] = value;
            return wider;
        }

        /** Forgets the rows before a time. */
        void trim(long time) {
            int first = from(time);
            if (first > 0) {
                millis = Arrays.copyOfRange(millis, first, size);
                recorded = Arrays.copyOfRange(recorded, first, size);
                kinds = Arrays.copyOfRange(kinds, first, size);
                uppers = Arrays.copyOfRange(uppers, first, size);
                lowers = Arrays.copyOfRange(lowers, first, size);
                size -= first;
            }
        }
    }

    public void eval(
            Context context,
            MapView<Integer, Entrant> kept,
            MapView<Integer, Shared> sharedState,
            RowData row,
            RowData change,
            Object... rest)
            throws Exception {
        TimeContext<Long> clock = context.timeContext(Long.class);
        long now = Objects.requireNonNullElse(clock.currentWatermark(), 0L);
        Shared shared = got(sharedState, 0, Shared::new);
        Boards boards = boards(shared, kept);
        long wait = TICK_MILLIS;
        if (row != null) {
            long time = row.getLong(times[0]);
            shared.newest = Math.max(shared.newest, time);
            wait = now - row.getLong(times[1]) > BACKLOG_MILLIS ? BUSY_TICK_MILLIS : TICK_MILLIS;
            add(shared, boards, kept, row);
        } else if (!change.isNullAt(period[0])) {
            change(shared, boards, kept, period(change));
        } else if (!change.isNullAt(period[2]) && change.getLong(period[2]) > shared.windowEnd) {
            shared.windowEnd = change.getLong(period[2]);
            shared.windowClock = now;
        }
        if (shared.tick == 0) {
            shared.tick = now + wait;
            clock.registerOnTime(shared.tick);
        }
        changed(sharedState, 0, shared);
    }

    private Period period(RowData row) {
        Period made = new Period();
        made.id = row.getLong(period[0]);
        made.start = row.getLong(period[1]);
        made.end = row.getLong(period[2]);
        made.closes = row.getLong(period[3]);
        made.window = row.getLong(period[4]);
        made.least = row.getLong(period[5]);
        made.places = row.getLong(period[6]);
        made.kinds =
                Stream.of(row.getString(kinds[0]).toString().split(","))
                        .filter(text -> !text.isBlank())
                        .mapToLong(text -> Long.parseLong(text.trim()))
                        .sorted()
                        .toArray();
        return made;
    }

    private void add(Shared shared, Boards boards, MapView<Integer, Entrant> kept, RowData row)
            throws Exception {
        long id = row.getLong(entrant);
        Integer known = boards.places.get(id);
        int place = known == null ? shared.entrants++ : known;
        Entrant found = got(kept, place, Entrant::new);
        if (known == null) {
            found.id = id;
            boards.learn(place, id);
        }
        int added =
                found.add(
                        row.getLong(times[0]), row.getLong(times[1]), row.getLong(kind),
                        row.getLong(ratio[0]), row.getLong(ratio[1]));
        changed(kept, place, found);
        for (Board board : boards.list) {
            if (board.period.counts(found, added)) {
                board.all.add(place, found, added, 1);
                if (board.isRecent(found.millis[added], boards.windowEnd)) {
                    board.recent.add(place, found, added, 1);
                }
            }
        }
    }

    private void change(
            Shared shared, Boards boards, MapView<Integer, Entrant> kept, Period changed)
            throws Exception {
        for (Period known : shared.periods) {
            if (known.isLike(changed)) {
                return;
            }
        }
        if (isLongClosed(changed, shared)) {
            return;
        }
        shared.periods.removeIf(known -> known.id == changed.id);
        shared.periods.add(changed);
        boards.put(changed, kept);
    }

    public void onTimer(
            OnTimerContext context,
            MapView<Integer, Entrant> kept,
            MapView<Integer, Shared> sharedState)
            throws Exception {
        long now = context.timeContext(Long.class).currentWatermark();
        Shared shared = sharedState.get(0);
        if (shared == null) {
            return;
        }
        shared.tick = 0;
        boolean isTime = now < Long.MAX_VALUE; // the end of a bounded input is none
        long silent = isTime && shared.windowClock > 0 ? now - shared.windowClock : 0;
        if (silent >= SILENT_MILLIS) {
            long slid = silent - silent % slideMillis;
            shared.windowEnd += slid;
            shared.windowClock += slid;
        }
        Boards boards = boards(shared, kept);
        boards.slide(shared.windowEnd, kept);
        if (keptMillis > 0 && shared.newest - shared.trimmedAt > keptMillis / 16) {
            trim(shared, boards, kept);
        }
        for (Board board : boards.list) {
            tell(board, board.all, boards);
            tell(board, board.recent, boards);
        }
        changed(sharedState, 0, shared);
    }

    private boolean isLongClosed(Period period, Shared shared) {
        return keptMillis > 0 && period.closes < shared.newest - keptMillis;
    }

    /** Forgets the periods that no row can be of any more, and the rows that none can ask for. */
    private void trim(Shared shared, Boards boards, MapView<Integer, Entrant> kept)
            throws Exception {
        shared.periods.removeIf(each -> isLongClosed(each, shared));
        boards.list.removeIf(each -> isLongClosed(each.period, shared));
        long oldest = shared.newest - keptMillis;
        for (Period each : shared.periods) {
            if (each.places > 0 && each.closes > shared.newest) {
                oldest = Math.min(oldest, each.start);
            }
        }
        for (int place = 0; place < shared.entrants; place++) {
            Entrant found = kept.get(place);
            if (found.size > 0 && found.millis[0] < oldest) {
                found.trim(oldest);
                changed(kept, place, found);
            }
        }
        shared.trimmedAt = shared.newest;
    }

    /** What the state says, added up; once a key and life of the job. */
    private Boards boards(Shared shared, MapView<Integer, Entrant> kept) throws Exception {
        Boards boards = boardsByKey.get(shared.key);
        if (boards == null) {
            boards = new Boards();
            boardsByKey.put(shared.key, boards);
            boards.windowEnd = shared.windowEnd;
            for (int place = 0; place < shared.entrants; place++) {
                boards.learn(place, kept.get(place).id);
            }
            for (Period each : shared.periods) {
                boards.put(each, kept);
            }
        }
        return boards;
    }

    /** Tells what of a board is new. */
    private void tell(Board board, Sums sums, Boards boards) {
        boolean isRecent = sums == board.recent;
        if (sums.hasChanged) {
            List<Integer> best = sums.best(board.period, boards.ids);
            long rank = 0;
            for (int i = 0; i < board.period.places || i < sums.told.size(); i++) {
                Entry entry = Entry.NONE;
                if (i < best.size()) {
                    int at = best.get(i);
                    boolean isEqual = i > 0 && sums.compareRatio(best.get(i - 1), at) == 0;
                    rank = isEqual ? rank : i + 1;
                    entry = sums.entry(rank, boards.ids[at], at);
                }
                if (i == sums.told.size() || !sums.told.get(i).equals(entry)) {
                    tell(board, isRecent, i + 1, entry, null);
                    if (i == sums.told.size()) {
                        sums.told.add(entry);
                    } else {
                        sums.told.set(i, entry);
                    }
                }
            }
        }
        if (sums.hasChanged || isRecent && board.toldEnd != boards.windowEnd) {
            Entry total = new Entry(null, sums.entrants, sums.upper, sums.lower, sums.count);
            tell(board, isRecent, 0, total, boards.windowEnd > 0 ? boards.windowEnd : null);
            board.toldEnd = isRecent ? boards.windowEnd : board.toldEnd;
        }
        sums.hasChanged = false;
    }

    private void tell(Board board, boolean isRecent, long place, Entry entry, Long windowEnd) {
        tell(
                board.period.id, isRecent, place, entry.rank(), entry.entrant(),
                entry.upper(), entry.lower(), entry.count(), windowEnd);
    }

    /** What is told of a place. */
    private record Entry(Long rank, Long entrant, Long upper, Long lower, Long count) {
        private static final Entry NONE = new Entry(null, null, null, null, null);
    }

    /** All boards of a key, and where its entrants lie in them. */
    private static final class Boards {
        private final List<Board> list = new ArrayList<>();
        private final Map<Long, Integer> places = new HashMap<>();
        private long[] ids = new long[16];
        private long windowEnd; // to which the windows have slid

        void learn(int place, long id) {
            places.put(id, place);
            ids = place < ids.length ? ids : Arrays.copyOf(ids, place * 2);
            ids[place] = id;
        }

        /** Adds up a period, in place of what was there of it. */
        void put(Period period, MapView<Integer, Entrant> kept) throws Exception {
            Board board = new Board(period);
            for (Board old : list) {
                if (old.period.id == period.id) {
                    board.all.told.addAll(old.all.told);
                    board.recent.told.addAll(old.recent.told);
                }
            }
            list.removeIf(old -> old.period.id == period.id);
            list.add(board);
            for (int place = 0; place < places.size(); place++) {
                Entrant entrant = kept.get(place);
                int end = entrant.from(period.end);
                for (int row = entrant.from(period.start); row < end; row++) {
                    if (period.counts(entrant, row)) {
                        board.all.add(place, entrant, row, 1);
                        if (board.isRecent(entrant.millis[row], windowEnd)) {
                            board.recent.add(place, entrant, row, 1);
                        }
                    }
                }
            }
        }

        /** Lets all windows end then. */
        void slide(long end, MapView<Integer, Entrant> kept) throws Exception {
            if (end == windowEnd) {
                return;
            }
            TreeMap<Long, List<Board>> boardsByWindow = new TreeMap<>();
            for (Board board : list) {
                boardsByWindow
                        .computeIfAbsent(board.period.window, window -> new ArrayList<>())
                        .add(board);
            }
            long longest = list.isEmpty() ? 0 : boardsByWindow.lastKey();
            for (int place = 0; place < places.size(); place++) {
                Entrant entrant = kept.get(place);
                if (entrant.size > 0 && entrant.millis[entrant.size - 1] >= windowEnd - longest) {
                    for (Map.Entry<Long, List<Board>> each : boardsByWindow.entrySet()) {
                        slide(each.getValue(), each.getKey(), place, entrant, end);
                    }
                }
            }
            windowEnd = end;
        }

        /** Lets the window of some boards, which is as long on all, end then for an entrant. */
        private void slide(
                List<Board> boards, long window, int place, Entrant entrant, long end) {
            int left = entrant.from(Math.min(windowEnd, end - window));
            for (int row = entrant.from(windowEnd - window); row < left; row++) {
                addRecent(boards, place, entrant, row, -1);
            }
            int come = entrant.from(end);
            for (int row = entrant.from(Math.max(windowEnd, end - window)); row < come; row++) {
                addRecent(boards, place, entrant, row, 1);
            }
        }

        private static void addRecent(
                List<Board> boards, int place, Entrant entrant, int row, int sign) {
            for (Board board : boards) {
                if (board.period.counts(entrant, row)) {
                    board.recent.add(place, entrant, row, sign);
                }
            }
        }
    }

    /** The two boards of a period. */
    private static final class Board {
        private final Period period;
        private final Sums all = new Sums();
        private final Sums recent = new Sums();
        private long toldEnd = -1;

        Board(Period period) {
            this.period = period;
        }

        boolean isRecent(long time, long windowEnd) {
            return time >= windowEnd - period.window && time < windowEnd;
        }
    }

    /** Sums of each entrant, and of all. */
    private static final class Sums {
        private final List<Entry> told = new ArrayList<>();
        private boolean hasChanged = true;
        private long[] uppers = new long[16];
        private long[] lowers = new long[16];
        private long[] counts = new long[16];
        private long entrants;
        private long upper;
        private long lower;
        private long count;

        void add(int place, Entrant entrant, int row, int sign) {
            if (place >= counts.length) {
                uppers = Arrays.copyOf(uppers, place * 2);
                lowers = Arrays.copyOf(lowers, place * 2);
                counts = Arrays.copyOf(counts, place * 2);
            }
            boolean wasThere = counts[place] > 0;
            uppers[place] += sign * entrant.uppers[row];
            lowers[place] += sign * entrant.lowers[row];
            counts[place] += sign;
            upper += sign * entrant.uppers[row];
            lower += sign * entrant.lowers[row];
            count += sign;
            entrants += (counts[place] > 0 ? 1 : 0) - (wasThere ? 1 : 0);
            hasChanged = true;
        }

        Entry entry(long rank, long id, int place) {
            return new Entry(rank, id, uppers[place], lowers[place], counts[place]);
        }

        /** The places of the entrants that are listed, the best first. */
        List<Integer> best(Period period, long[] ids) {
            Comparator<Integer> bestFirst =
                    (one, other) -> {
                        int order = compareRatio(other, one);
                        order = order == 0 ? Long.compare(lowers[other], lowers[one]) : order;
                        return order == 0 ? Long.compare(ids[one], ids[other]) : order;
                    };
            PriorityQueue<Integer> worstFirst = new PriorityQueue<>(bestFirst.reversed());
            for (int place = 0; place < counts.length && period.places > 0; place++) {
                if (lowers[place] > 0 && counts[place] >= Math.max(1, period.least)) {
                    if (worstFirst.size() < period.places) {
                        worstFirst.add(place);
                    } else if (bestFirst.compare(place, worstFirst.peek()) < 0) {
                        worstFirst.poll();
                        worstFirst.add(place);
                    }
                }
            }
            List<Integer> best = new ArrayList<>(worstFirst);
            best.sort(bestFirst);
            return best;
        }

        /** Compares upper / lower of two entrants in 128 bits. */
        int compareRatio(int one, int other) {
            long high = Math.multiplyHigh(uppers[one], lowers[other]);
            long otherHigh = Math.multiplyHigh(uppers[other], lowers[one]);
            return high != otherHigh
                    ? Long.compare(high, otherHigh)
                    : Long.compareUnsigned(
                            uppers[one] * lowers[other], uppers[other] * lowers[one]);
        }
    }
}
