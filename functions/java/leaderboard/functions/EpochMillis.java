package leaderboard.functions;

import org.apache.flink.table.annotation.DataTypeHint;
import org.apache.flink.table.data.TimestampData;
import org.apache.flink.table.functions.ScalarFunction;

/**
 * The milliseconds from 1970 to a time: {@code epoch_millis(paid_at)}; NULL for NULL.
 *
 * <p>EXTRACT could say it, but asks anew for each row of which type a time is: for an event, that
 * took an eighth of all reading.
 */
public final class EpochMillis extends ScalarFunction {
    private static final long serialVersionUID = 1L;

    public Long eval(
            @DataTypeHint(value = "TIMESTAMP_LTZ(3)", bridgedTo = TimestampData.class)
                    TimestampData time) {
        return time == null ? null : time.getMillisecond();
    }
}
