package leaderboard.functions;

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.TableSemantics;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.CallContext;
import org.apache.flink.table.types.inference.StateTypeStrategy;
import org.apache.flink.table.types.inference.StaticArgument;
import org.apache.flink.table.types.inference.StaticArgumentTrait;
import org.apache.flink.table.types.inference.TypeInference;
import org.apache.flink.table.types.inference.TypeStrategies;
import org.apache.flink.table.types.logical.LogicalTypeRoot;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.types.ColumnList;

/**
 * One call of a function that takes one table: its columns and constants, which are all known when
 * the call is planned.
 */
final class Call {
    /** An argument beside the table: columns of it of a type, or a constant. */
    record Argument(String name, LogicalTypeRoot columns, Class<?> constant, boolean isOptional) {
        static Argument columns(String name, LogicalTypeRoot type) {
            return new Argument(name, type, ColumnList.class, false);
        }

        static Argument optionalColumns(String name, LogicalTypeRoot type) {
            return new Argument(name, type, ColumnList.class, true);
        }

        static Argument number(String name) {
            return new Argument(name, null, Integer.class, false);
        }

        static Argument text(String name) {
            return new Argument(name, null, String.class, false);
        }

        private StaticArgument declared() {
            DataType type =
                    columns != null
                            ? DataTypes.DESCRIPTOR()
                            : constant == Integer.class ? DataTypes.INT() : DataTypes.STRING();
            return StaticArgument.scalar(name, type, isOptional);
        }
    }

    private final CallContext context;
    private final List<Argument> arguments;
    private final TableSemantics table;

    Call(CallContext context, List<Argument> arguments) {
        this.context = context;
        this.arguments = arguments;
        table = context.getTableSemantics(0).orElseThrow();
    }

    /**
     * The types of a function. Before it is made for a call, {@code input} is null, and it takes any
     * table; after that rows come as Flink holds them, unconverted.
     */
    static TypeInference inference(
            DataTypeFactory types,
            DataType input,
            boolean needsTime,
            List<Argument> arguments,
            Class<?> state,
            Function<CallContext, List<DataTypes.Field>> output) {
        EnumSet<StaticArgumentTrait> traits = EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE);
        if (needsTime) {
            traits.add(StaticArgumentTrait.REQUIRE_ON_TIME);
        }
        List<StaticArgument> declared = new ArrayList<>();
        declared.add(
                input == null
                        ? StaticArgument.table("input", RowData.class, false, traits)
                        : StaticArgument.table("input", input, false, traits));
        arguments.forEach(argument -> declared.add(argument.declared()));
        DataType kept = MapView.newMapViewDataType(DataTypes.INT(), types.createDataType(state));
        LinkedHashMap<String, StateTypeStrategy> states = new LinkedHashMap<>();
        // Forgotten by timers: a time to live would look for old entries at every access.
        states.put("kept", StateTypeStrategy.of(TypeStrategies.explicit(kept), Duration.ZERO));
        return TypeInference.newBuilder()
                .staticArguments(declared)
                .stateTypeStrategies(states)
                .outputTypeStrategy(call -> Optional.of(row(output.apply(call))))
                .build();
    }

    private static DataType row(List<DataTypes.Field> fields) {
        return DataTypes.ROW(fields).bridgedTo(RowData.class);
    }

    DataType input() {
        return table.dataType().bridgedTo(RowData.class);
    }

    int timeColumn() {
        return table.timeColumn();
    }

    /** The columns of the table but its key and the times that Flink goes by. */
    int[] others() {
        List<DataType> types = DataType.getFieldDataTypes(table.dataType());
        return IntStream.range(0, types.size())
                .filter(i -> i != table.partitionByColumns()[0])
                .filter(i -> !LogicalTypeChecks.isTimeAttribute(types.get(i).getLogicalType()))
                .toArray();
    }

    List<DataTypes.Field> fields(int... columns) {
        List<DataTypes.Field> all = DataType.getFields(table.dataType());
        return IntStream.of(columns).mapToObj(all::get).toList();
    }

    int number(String argument) {
        return value(argument, Integer.class).orElseThrow();
    }

    String text(String argument) {
        return value(argument, String.class).orElseThrow();
    }

    int column(String argument) {
        return columns(argument)[0];
    }

    /** Where the columns stand that an argument names; none when it is left out. */
    int[] columns(String argument) {
        LogicalTypeRoot type = arguments.get(position(argument) - 1).columns;
        return value(argument, ColumnList.class).stream()
                .flatMap(columns -> columns.getNames().stream())
                .mapToInt(name -> column(name, type))
                .toArray();
    }

    private int column(String name, LogicalTypeRoot type) {
        int column = DataType.getFieldNames(table.dataType()).indexOf(name);
        if (column < 0) {
            throw new ValidationException("The table has no column " + name + ".");
        }
        DataType actual = DataType.getFieldDataTypes(table.dataType()).get(column);
        if (!actual.getLogicalType().is(type)) {
            throw new ValidationException(
                    "The column " + name + " is a " + actual + ", and has to be a " + type + ".");
        }
        return column;
    }

    private <T> Optional<T> value(String argument, Class<T> type) {
        return context.getArgumentValue(position(argument), type);
    }

    private int position(String argument) {
        int position = 1;
        while (!arguments.get(position - 1).name.equals(argument)) {
            position++;
        }
        return position;
    }
}
