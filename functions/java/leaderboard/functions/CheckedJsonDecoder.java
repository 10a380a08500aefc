package leaderboard.functions;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonFactory;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonProcessingException;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.StreamReadConstraints;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/**
 * Reads the messages of {@link CheckedJsonFormat}: each is one JSON object (RFC 8259) in UTF-8.
 *
 * <ul>
 *   <li>Of a repeated key the last counts. A message may be as long and as deep as a record can be.
 *   <li>Bytes that are not UTF-8 are U+FFFD, and a lone surrogate (\ud800) is '?'.
 *   <li>A byte order mark, a second document, a raw control character in a text, NaN and comments
 *       are not JSON.
 * </ul>
 */
final class CheckedJsonDecoder implements DeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;
    private static final String NOT_AN_OBJECT = "not one JSON object";

    private final List<Field> fields;
    private final List<String> metadata;
    private final TypeInformation<RowData> produced;
    private transient JsonFactory json;
    private transient Map<String, Integer> places;
    private transient Object[] values;
    private transient String[] reasons;

    CheckedJsonDecoder(
            List<Field> fields, List<String> metadata, TypeInformation<RowData> produced) {
        this.fields = List.copyOf(fields);
        this.metadata = metadata;
        this.produced = produced;
    }

    @Override
    public void open(InitializationContext context) {
        // Limits of Jackson's that a message may exceed, and a defence that would refuse it.
        json =
                JsonFactory.builder()
                        .streamReadConstraints(
                                StreamReadConstraints.builder()
                                        .maxNestingDepth(Integer.MAX_VALUE)
                                        .maxNumberLength(Integer.MAX_VALUE)
                                        .maxStringLength(Integer.MAX_VALUE)
                                        .maxNameLength(Integer.MAX_VALUE)
                                        .build())
                        .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
                        .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                        .build();
        places = new HashMap<>();
        fields.forEach(field -> places.put(field.name, places.size()));
        values = new Object[fields.size()];
        reasons = new String[fields.size()];
    }

    @Override
    public RowData deserialize(byte[] message) throws IOException {
        Arrays.fill(values, null);
        StringData text = null;
        String reason;
        if (message == null || message.length == 0) {
            reason = "empty message";
            text = message == null ? null : BinaryStringData.EMPTY_UTF8;
        } else if (isPlain(message)) {
            text = Text.of(message);
            reason = read(json.createParser(message));
        } else {
            String decoded = new String(message, StandardCharsets.UTF_8);
            text = StringData.fromString(decoded);
            reason = read(json.createParser(decoded));
        }
        return row(reason, text);
    }

    /** Whether all of it is ASCII without U+0000, which the faster parser reads as it is. */
    private static boolean isPlain(byte[] message) {
        for (byte each : message) {
            if (each <= 0) {
                return false;
            }
        }
        return true;
    }

    /** Reads a message into {@code values}. Returns why it is rejected, or null. */
    private String read(JsonParser parser) throws IOException {
        for (int i = 0; i < reasons.length; i++) {
            reasons[i] = fields.get(i).missing();
        }
        try (parser) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return NOT_AN_OBJECT;
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                Integer place = places.get(parser.currentName());
                parser.nextToken();
                if (place == null) {
                    parser.skipChildren();
                } else {
                    reasons[place] = fields.get(place).read(parser, values, place);
                }
            }
            if (parser.nextToken() != null) {
                return NOT_AN_OBJECT;
            }
        } catch (JsonProcessingException error) {
            Arrays.fill(values, null); // what was read before the fault is no message
            return NOT_AN_OBJECT;
        }
        for (String reason : reasons) {
            if (reason != null) {
                return reason;
            }
        }
        return null;
    }

    private RowData row(String reason, StringData text) {
        GenericRowData row = new GenericRowData(values.length + metadata.size());
        for (int i = 0; i < values.length; i++) {
            row.setField(i, values[i]);
        }
        for (int i = 0; i < metadata.size(); i++) {
            boolean isReason = metadata.get(i).equals(CheckedJsonFormat.REASON);
            row.setField(values.length + i, isReason ? StringData.fromString(reason) : text);
        }
        return row;
    }

    @Override
    public boolean isEndOfStream(RowData next) {
        return false;
    }

    @Override
    public TypeInformation<RowData> getProducedType() {
        return produced;
    }
}
