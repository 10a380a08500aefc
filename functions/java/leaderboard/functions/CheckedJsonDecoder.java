package leaderboard.functions;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.*;
import org.apache.flink.table.data.*;

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
final class CheckedJsonDecoder extends AbstractDeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;
    private static final String NOT_AN_OBJECT = "not one JSON object";
    // Without limits of Jackson's that a message may exceed, and a defence that would refuse it.
    private static final JsonFactory JSON =
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

    private final Map<String, Integer> places = new HashMap<>();
    private final List<Field> fields;
    private final List<String> metadata;

    CheckedJsonDecoder(
            Map<String, Field> fields, List<String> metadata, TypeInformation<RowData> produced) {
        super(produced);
        fields.keySet().forEach(name -> places.put(name, places.size()));
        this.fields = List.copyOf(fields.values());
        this.metadata = metadata;
    }

    @Override
    public RowData deserialize(byte[] message) throws IOException {
        GenericRowData row = new GenericRowData(fields.size() + metadata.size());
        String text = message == null ? null : new String(message, StandardCharsets.UTF_8);
        String reason = text == null || text.isEmpty() ? "empty message" : read(text, row);
        for (int i = 0; i < metadata.size(); i++) {
            boolean isReason = metadata.get(i).equals(CheckedJsonFormat.REASON);
            row.setField(fields.size() + i, StringData.fromString(isReason ? reason : text));
        }
        return row;
    }

    /** Reads the fields of a message into a row. Returns why it is rejected, or null. */
    private String read(String message, GenericRowData row) throws IOException {
        JsonToken[] tokens = new JsonToken[fields.size()];
        String[] texts = new String[fields.size()];
        try (JsonParser parser = JSON.createParser(message)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                return NOT_AN_OBJECT;
            }
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                Integer place = places.get(parser.currentName());
                JsonToken token = parser.nextToken();
                if (place != null) {
                    tokens[place] = token;
                    texts[place] = parser.getText();
                }
                parser.skipChildren();
            }
            if (parser.nextToken() != null) {
                return NOT_AN_OBJECT;
            }
        } catch (JsonProcessingException error) {
            return NOT_AN_OBJECT;
        }
        String first = null;
        for (int i = 0; i < texts.length; i++) {
            String reason = fields.get(i).read(tokens[i], texts[i], row, i);
            first = first == null ? reason : first;
        }
        return first;
    }
}
