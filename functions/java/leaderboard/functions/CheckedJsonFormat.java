package leaderboard.functions;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.connector.ChangelogMode;
import org.apache.flink.table.connector.format.DecodingFormat;
import org.apache.flink.table.connector.source.DynamicTableSource;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.DeserializationFormatFactory;
import org.apache.flink.table.factories.DynamicTableFactory;
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
 */
public final class CheckedJsonFormat implements DeserializationFormatFactory {
    static final String REASON = "reason";
    static final String MESSAGE = "message";
    private static final ConfigOption<Map<String, String>> FIELDS =
            ConfigOptions.key("fields").mapType().noDefaultValue();

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
        return Set.of();
    }

    @Override
    public DecodingFormat<DeserializationSchema<RowData>> createDecodingFormat(
            DynamicTableFactory.Context context, ReadableConfig options) {
        return new Decoding(options.get(FIELDS));
    }

    private static final class Decoding implements DecodingFormat<DeserializationSchema<RowData>> {
        private final Map<String, String> rules;
        private List<String> metadata = List.of();

        Decoding(Map<String, String> rules) {
            this.rules = rules;
        }

        @Override
        public Map<String, DataType> listReadableMetadata() {
            Map<String, DataType> readable = new LinkedHashMap<>();
            readable.put(REASON, DataTypes.STRING());
            readable.put(MESSAGE, DataTypes.STRING());
            return readable;
        }

        @Override
        public void applyReadableMetadata(List<String> keys) {
            metadata = List.copyOf(keys);
        }

        @Override
        public DeserializationSchema<RowData> createRuntimeDecoder(
                DynamicTableSource.Context context, DataType fields) {
            List<Field> checked = new ArrayList<>();
            List<DataTypes.Field> produced = new ArrayList<>(DataType.getFields(fields));
            produced.forEach(column -> checked.add(field(column)));
            metadata.forEach(key -> produced.add(DataTypes.FIELD(key, DataTypes.STRING())));
            DataType row = DataTypes.ROW(produced.toArray(DataTypes.Field[]::new));
            return new CheckedJsonDecoder(checked, metadata, context.createTypeInformation(row));
        }

        private Field field(DataTypes.Field column) {
            String name = column.getName();
            String rule = rules.get(name);
            if (rule == null) {
                throw new ValidationException(
                        "The column " + name + " has no rule: set 'checked-json.fields." + name
                                + "'.");
            }
            Field field = Field.of(name, rule);
            LogicalTypeRoot type = column.getDataType().getLogicalType().getTypeRoot();
            if (type != field.type()) {
                throw new ValidationException(
                        "The column " + name + " is a " + type + ", and its rule '" + rule
                                + "' gives a " + field.type() + ".");
            }
            return field;
        }

        @Override
        public ChangelogMode getChangelogMode() {
            return ChangelogMode.insertOnly();
        }
    }
}
