package leaderboard.functions;

import java.util.List;
import org.apache.flink.metrics.Counter;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.utils.ProjectedRowData;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.functions.ProcessTableFunction;
import org.apache.flink.table.functions.SpecializedFunction;
import org.apache.flink.table.functions.UserDefinedFunction;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.types.ColumnList;

/**
 * De-duplication that depends on nothing but the rows. Of the rows of a key with one id, the first
 * passes; another is a repetition when the minute of its time and that of the last one that passed
 * are at most so many apart.
 *
 * <pre>{@code
 * SELECT * FROM first_arrivals(
 *     input => TABLE payments PARTITION BY account,
 *     id => DESCRIPTOR(payment_id),
 *     time_millis => DESCRIPTOR(recorded_millis),
 *     within_minutes => 10,
 *     parts => 1,
 *     on_time => DESCRIPTOR(paid_at),
 *     uid => 'first-payments'
 * )
 * }</pre>
 *
 * <p>Gives the key, the other columns of the input but its time, and that as {@code rowtime}. A row
 * without an id always passes; with 0 minutes all rows do.
 *
 * <p>The ids of a key lie in so many parts. 1 is best on the heap. RocksDB reads and writes a
 * part whole for each row: there 1024 keep a key fast that has very many ids.
 */
public final class FirstArrivals extends ProcessTableFunction<RowData>
        implements SpecializedFunction {
    private static final long serialVersionUID = 1L;
    private static final int MINUTE_MILLIS = 60_000;
    // Watermarks are of all partitions, and one may be behind the others: ids stay so much longer.
    private static final int SPARE_MINUTES = 60;

    /** The ids of a part. The first has the minute of the key's last row, and of its timer's. */
    public static class Part extends Ids {
        public int newest;
        public int newestAtTimer;
    }

    private static final List<Call.Argument> ARGUMENTS =
            List.of(
                    Call.Argument.columns("id", LogicalTypeRoot.VARCHAR),
                    Call.Argument.columns("time_millis", LogicalTypeRoot.BIGINT),
                    Call.Argument.number("within_minutes"),
                    Call.Argument.number("parts"));

    private final DataType input;
    private final int id;
    private final int time;
    private final int within;
    private final int parts;
    private final int[] passed;
    private transient ProjectedRowData output;
    private transient Counter repetitions;

    public FirstArrivals() {
        this(null);
    }

    private FirstArrivals(Call call) {
        input = call == null ? null : call.input();
        id = call == null ? 0 : call.column("id");
        time = call == null ? 0 : call.column("time_millis");
        within = call == null ? 0 : call.number("within_minutes");
        parts = call == null ? 1 : call.number("parts");
        passed = call == null ? null : call.others();
    }

    @Override
    public UserDefinedFunction specialize(SpecializedContext context) {
        return new FirstArrivals(new Call(context.getCallContext(), ARGUMENTS));
    }

    @Override
    public TypeInference getTypeInference(DataTypeFactory types) {
        return Call.inference(
                types, input, true, ARGUMENTS, Part.class, FirstArrivals::fields);
    }

    private static List<DataTypes.Field> fields(CallContext context) {
        Call call = new Call(context, ARGUMENTS);
        return call.fields(call.others());
    }

    @Override
    public void open(FunctionContext context) {
        output = ProjectedRowData.from(passed);
        repetitions = context.getMetricGroup().counter("repetitions");
    }

    public void eval(
            Context context,
            MapView<Integer, Part> kept,
            RowData row,
            ColumnList idColumn,
            ColumnList timeColumn,
            Integer withinMinutes,
            Integer partCount)
            throws Exception {
        if (within == 0 || row.isNullAt(id)) {
            collect(output.replaceRow(row));
            return;
        }
        int minute = (int) (row.getLong(time) / MINUTE_MILLIS);
        Part first = kept.get(0);
        if (first == null) {
            first = new Part();
            first.newestAtTimer = minute;
            long end = (minute + within + SPARE_MINUTES) * (long) MINUTE_MILLIS;
            context.timeContext(Long.class).registerOnTime(end);
        }
        long hash = Text.hash(row.getString(id));
        int part = (int) Math.floorMod(hash >>> 32, (long) parts);
        Part ids = part == 0 ? first : kept.get(part);
        ids = ids == null ? new Part() : ids;
        boolean isFirst = ids.add(hash, minute, within);
        first.newest = Math.max(first.newest, minute);
        kept.put(0, first);
        if (part != 0) {
            kept.put(part, ids);
        }
        if (isFirst) {
            collect(output.replaceRow(row));
        } else {
            repetitions.inc();
        }
    }

    /** Forgets a key that had no rows since its timer was set; else waits for its last row. */
    public void onTimer(OnTimerContext context, MapView<Integer, Part> kept) throws Exception {
        TimeContext<Long> time = context.timeContext(Long.class);
        Part first = kept.get(0);
        if (first.newest <= first.newestAtTimer) {
            kept.clear();
            return;
        }
        long later = (first.newest - first.newestAtTimer) * (long) MINUTE_MILLIS;
        time.registerOnTime(time.time() + later);
        first.newestAtTimer = first.newest;
        kept.put(0, first);
    }
}
