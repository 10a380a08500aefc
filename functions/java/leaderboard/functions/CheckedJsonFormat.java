package leaderboard.functions;

import java.util.*;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.*;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.*;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/**
 * The format {@code checked-json}: one row for every message, whatever is in it.
 *
 * <p>Flink's own JSON format fails on a bad message or drops it unseen. This one checks each field
 * by a rule, which the table states beside its columns, and says what is wrong:
 *
 * <pre>{@code
 * CREATE TABLE payments (
 *     account STRING,
 *     cents BIGINT,
 *     reason STRING METADATA FROM 'value.reason' VIRTUAL,
 *     message STRING METADATA FROM 'value.message' VIRTUAL
 * ) WITH (
 *     …
 *     'format' = 'checked-json',
 *     'checked-json.fields.account' = 'id up to 64',
 *     'checked-json.fields.cents' = 'number from 1 to 99999'
 * )
 * }</pre>
 *
 * <p>{@code reason} is NULL when all is well, else the first that applies, in the order of the
 * columns; the fields that could be read are there all the same. {@code message} is the text of the
 * message. {@link Field} lists the rules, {@link CheckedJsonDecoder} what is read in which way.
 *
 * <p>With {@code 'checked-json.registry.url'} messages may be Avro records too, by the schemas of a
 * registry that speaks as Confluent's does. All else below {@code checked-json.registry.} is for its
 * client. Their fields are found by name and checked by the same rules.
 */
public final class CheckedJsonFormat implements DeserializationFormatFactory {
    static final String REASON = "reason";
    private static final String MESSAGE = "message";
    private static final ConfigOption<Map<String, String>> FIELDS =
            ConfigOptions.key("fields").mapType().noDefaultValue();
    private static final ConfigOption<Map<String, String>> REGISTRY =
            ConfigOptions.key("registry").mapType().defaultValue(Map.of());

    @Override
    public String factoryIdentifier() {
        return "checked-json";
    }

    @Override
    public Set<ConfigOption<?>> requiredOptions() {
        return Set.of(FIELDS);
    }

    @Override
    public Set<ConfigOption<?>> optionalOptions() {
        return Set.of(REGISTRY);
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        return new Decoding(options.get(FIELDS), options.get(REGISTRY));
    }

    private static final class Decoding implements DecodingFormat<DeserializationSchema<RowData>> {
        private final Map<String, String> rules;
        private final Map<String, String> registry;
        private List<String> metadata = List.of();

        Decoding(Map<String, String> rules, Map<String, String> registry) {
            this.rules = rules;
            this.registry = registry;
        }

        @Override
        public Map<String, DataType> listReadableMetadata() {
            return new TreeMap<>(Map.of(REASON, DataTypes.STRING(), MESSAGE, DataTypes.STRING()));
        }

        @Override
        public void applyReadableMetadata(List<String> keys) {
            metadata = List.copyOf(keys);
        }

        @Override
        public DeserializationSchema<RowData> createRuntimeDecoder(
                DynamicTableSource.Context context, DataType fields) {
            List<DataTypes.Field> columns = new ArrayList<>(DataType.getFields(fields));
            Map<String, Field> checked = new LinkedHashMap<>();
            for (DataTypes.Field column : columns) {
                String name = column.getName();
                LogicalTypeRoot type = column.getDataType().getLogicalType().getTypeRoot();
                checked.put(name, new Field(name, rules.getOrDefault(name, ""), type));
            }
            metadata.forEach(key -> columns.add(DataTypes.FIELD(key, DataTypes.STRING())));
            DataType produced = DataTypes.ROW(columns);
            return new CheckedJsonDecoder(
                    checked, metadata, registry, context.createTypeInformation(produced));
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }
    }
}
