package leaderboard.functions;

import java.time.Duration;
import java.util.*;
import java.util.function.Function;
import java.util.function.Supplier;
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
 * A function of one table that is partitioned by one key, with state of type S for each key; or of
 * more tables that have the same key.
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
    private final transient Map<String, Class<?>> states = new LinkedHashMap<>();
    private final transient List<StaticArgument> arguments = new ArrayList<>();
    private final transient List<DataTypes.Field> output = new ArrayList<>();
    private int arity; // of the output
    private transient Boolean isHeld; // whether state is objects; null is yet to be seen

    KeyedFunction(
            CallContext call,
            Function<CallContext, KeyedFunction<S>> constructor,
            Class<S> state,
            StaticArgumentTrait... traits) {
        this.call = call;
        this.constructor = constructor;
        keeps("kept", state);
        var all = EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE, traits);
        arguments.add(
                call == null
                        ? StaticArgument.table("input", RowData.class, false, all)
                        : StaticArgument.table("input", asHeld(table().dataType()), false, all));
    }

    private TableSemantics table() {
        return semantics(0);
    }

    private TableSemantics semantics(int table) {
        return call.getTableSemantics(table).orElseThrow();
    }

    /** One more table with the same key. Returns which one it is; the first, input, is 0. */
    final int table(String argument) {
        int table = arguments.size();
        var rows = EnumSet.of(StaticArgumentTrait.SET_SEMANTIC_TABLE);
        arguments.add(
                call == null
                        ? StaticArgument.table(argument, RowData.class, false, rows)
                        : StaticArgument.table(
                                argument, asHeld(semantics(table).dataType()), false, rows));
        return table;
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
        LinkedHashMap<String, StateTypeStrategy> entries = new LinkedHashMap<>();
        states.forEach((name, state) -> entries.put(name, strategy(types.createDataType(state))));
        return TypeInference.newBuilder()
                .staticArguments(arguments)
                .stateTypeStrategies(entries)
                .outputTypeStrategy(
                        made -> Optional.of(asHeld(DataTypes.ROW(constructor.apply(made).output))))
                .build();
    }

    private static StateTypeStrategy strategy(DataType state) {
        DataType kept = MapView.newMapViewDataType(DataTypes.INT(), state);
        // Forgotten by timers: a time to live would look for old entries at every access.
        return StateTypeStrategy.of(TypeStrategies.explicit(kept), Duration.ZERO);
    }

    /** Adds a state of another type, which eval and onTimer get behind those before it. */
    final void keeps(String name, Class<?> state) {
        states.put(name, state);
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
        return columns(argument, type, isOptional, 0);
    }

    /** The same of one of several tables. */
    final int[] columns(String argument, LogicalTypeRoot type, boolean isOptional, int table) {
        return argument(argument, DataTypes.DESCRIPTOR(), ColumnList.class, isOptional).stream()
                .flatMap(columns -> columns.getNames().stream())
                .mapToInt(name -> place(name, type, table))
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

    private int place(String name, LogicalTypeRoot type, int table) {
        DataType rows = semantics(table).dataType();
        int place = DataType.getFieldNames(rows).indexOf(name);
        if (place < 0 || !rows.getLogicalType().getChildren().get(place).is(type)) {
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

    /** What is kept at a place; if nothing is, a new one. */
    static <V> V got(MapView<Integer, V> kept, int place, Supplier<V> constructor)
            throws Exception {
        V value = kept.get(place);
        if (value == null) {
            value = constructor.get();
            kept.put(place, value);
        }
        return value;
    }

    /**
     * Keeps what was got and has been changed. The heap holds the object itself, and to put it once
     * more would only give the garbage collector more to look at; RocksDB holds its bytes.
     */
    final <V> void changed(MapView<Integer, V> kept, int place, V value) throws Exception {
        if (isHeld == null || !isHeld) {
            kept.put(place, value);
        }
        if (isHeld == null) {
            isHeld = kept.get(place) == value;
        }
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
