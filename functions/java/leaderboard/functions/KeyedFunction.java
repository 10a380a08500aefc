package leaderboard.functions;

import java.time.Duration;
import java.util.*;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.table.api.*;
import org.apache.flink.table.api.dataview.MapView;
import org.apache.flink.table.catalog.DataTypeFactory;
import org.apache.flink.table.data.*;
import org.apache.flink.table.functions.*;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.inference.*;
import org.apache.flink.table.types.logical.*;
import org.apache.flink.table.types.logical.utils.LogicalTypeChecks;
import org.apache.flink.types.ColumnList;

/**
 * A function of one table that is partitioned by one key, with state of type S for each key.
 *
 * <p>The arguments beside the table are constants, and columns of it. They are known when a call is
 * planned: fields take them in, in the order of SQL. A function that is made without a call has
 * empty fields, and says only what its arguments are. Flink hands the arguments to eval once more
 * with each row, where they are not looked at.
 */
public abstract class KeyedFunction<S> extends ProcessTableFunction<RowData>
        implements SpecializedFunction {
    private static final long serialVersionUID = 1L;

    private final transient CallContext call;
    private final transient Function<CallContext, KeyedFunction<S>> constructor;
    private final transient Class<S> state;
    private final transient List<StaticArgument> arguments = new ArrayList<>();
    private final transient List<DataTypes.Field> output = new ArrayList<>();
    private int arity; // of the output

    KeyedFunction(
            CallContext call,
            Function<CallContext, KeyedFunction<S>> constructor,
            Class<S> state,
            StaticArgumentTrait... traits) {
        this.call = call;
        this.constructor = constructor;
        this.state = state;
        var all = EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE, traits);
        arguments.add(
                call == null
                        ? StaticArgument.table("input", RowData.class, false, all)
                        : StaticArgument.table("input", asHeld(table().dataType()), false, all));
    }

    private TableSemantics table() {
        return call.getTableSemantics(0).orElseThrow();
    }

    /** The type of rows as Flink holds them, unconverted. */
    private static DataType asHeld(DataType rows) {
        return rows.bridgedTo(RowData.class);
    }

    /** The place of the column by whose time the rows go. */
    final int timeColumn() {
        return call == null ? 0 : table().timeColumn();
    }

    @Override
    public final UserDefinedFunction specialize(SpecializedContext context) {
        return constructor.apply(context.getCallContext());
    }

    @Override
    public final TypeInference getTypeInference(DataTypeFactory types) {
        DataType kept = MapView.newMapViewDataType(DataTypes.INT(), types.createDataType(state));
        // Forgotten by timers: a time to live would look for old entries at every access.
        var entry = StateTypeStrategy.of(TypeStrategies.explicit(kept), Duration.ZERO);
        return TypeInference.newBuilder()
                .staticArguments(arguments)
                .stateTypeStrategies(new LinkedHashMap<>(Map.of("kept", entry)))
                .outputTypeStrategy(
                        made -> Optional.of(asHeld(DataTypes.ROW(constructor.apply(made).output))))
                .build();
    }

    /** An argument that is a whole number. */
    final int number(String argument) {
        return argument(argument, DataTypes.INT(), Integer.class, false).orElse(0);
    }

    /** An argument that lists whole numbers in a text. */
    final long[] numbers(String argument) {
        return argument(argument, DataTypes.STRING(), String.class, false).stream()
                .flatMap(text -> Stream.of(text.split(",")))
                .mapToLong(number -> Long.parseLong(number.trim()))
                .toArray();
    }

    /** The place of a column that an argument names. */
    final int column(String argument, LogicalTypeRoot type) {
        return IntStream.of(columns(argument, type, false)).findFirst().orElse(0);
    }

    /** The places of the columns that an argument names; none when it is left out. */
    final int[] columns(String argument, LogicalTypeRoot type, boolean isOptional) {
        return argument(argument, DataTypes.DESCRIPTOR(), ColumnList.class, isOptional).stream()
                .flatMap(columns -> columns.getNames().stream())
                .mapToInt(name -> place(name, type))
                .toArray();
    }

    /** The places of the columns that are neither the key nor a time that Flink goes by. */
    final int[] others() {
        return IntStream.range(0, call == null ? 0 : types().size())
                .filter(i -> i != table().partitionByColumns()[0])
                .filter(i -> !LogicalTypeChecks.isTimeAttribute(types().get(i)))
                .toArray();
    }

    private <T> Optional<T> argument(
            String name, DataType type, Class<T> value, boolean isOptional) {
        int position = arguments.size();
        arguments.add(StaticArgument.scalar(name, type, isOptional));
        return call == null ? Optional.empty() : call.getArgumentValue(position, value);
    }

    private int place(String name, LogicalTypeRoot type) {
        int place = DataType.getFieldNames(table().dataType()).indexOf(name);
        if (place < 0 || !types().get(place).is(type)) {
            throw new ValidationException("The table has no " + type + " column " + name + ".");
        }
        return place;
    }

    private List<LogicalType> types() {
        return table().dataType().getLogicalType().getChildren();
    }

    /** Makes columns of the table the next ones of the output, which has the key before them. */
    final void gives(int... columns) {
        if (call != null) {
            List<DataTypes.Field> fields = DataType.getFields(table().dataType());
            IntStream.of(columns).mapToObj(fields::get).forEach(output::add);
            arity = output.size();
        }
    }

    /** Makes new columns the next ones of the output. */
    final void gives(DataType type, String... names) {
        Stream.of(names).map(name -> DataTypes.FIELD(name, type)).forEach(output::add);
        arity = output.size();
    }

    /** Texts of a row in UTF-8; null for NULL. */
    static byte[][] texts(RowData row, int[] columns) {
        byte[][] texts = new byte[columns.length][];
        for (int i = 0; i < columns.length; i++) {
            texts[i] = row.isNullAt(columns[i]) ? null : row.getString(columns[i]).toBytes();
        }
        return texts;
    }

    /** Gives a row of these fields; of texts in UTF-8, each is one. */
    final void tell(Object... fields) {
        GenericRowData row = new GenericRowData(arity);
        int place = 0;
        for (Object field : fields) {
            if (field instanceof byte[][] texts) {
                for (byte[] text : texts) {
                    row.setField(place++, text == null ? null : StringData.fromBytes(text));
                }
            } else {
                row.setField(place++, field);
            }
        }
        collect(row);
    }
}
