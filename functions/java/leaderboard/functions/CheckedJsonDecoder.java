package leaderboard.functions;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.*;
import org.apache.flink.table.data.*;

/**
 * Reads the messages of {@link CheckedJsonFormat}: each is one JSON object (RFC 8259) in UTF-8.
 *
 * <ul>
 *   <li>With a schema registry, one that begins with a byte 0 is an Avro record in Confluent's form:
 *       0, the id of its schema in four bytes, the record. JSON never begins so.
 *   <li>Of a repeated key the last counts. A message may be as long and as deep as a record can be.
 *   <li>Bytes that are not UTF-8 are U+FFFD, and a lone surrogate (\ud800) is '?'.
 *   <li>A byte order mark, a second document, a raw control character in a text, NaN and comments
 *       are not JSON.
 * </ul>
 */
final class CheckedJsonDecoder extends AbstractDeserializationSchema<RowData> {
    private static final long serialVersionUID = 1L;
    private static final String NOT_AN_OBJECT = "not one JSON object";
    private static final String NOT_A_RECORD = "not one Avro record";
    private static final int HEADER = 5; // bytes before an Avro record
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
    private final Map<String, String> registry;
    private transient SchemaRegistry schemas;

    CheckedJsonDecoder(
            Map<String, Field> fields,
            List<String> metadata,
            Map<String, String> registry,
            TypeInformation<RowData> produced) {
        super(produced);
        fields.keySet().forEach(name -> places.put(name, places.size()));
        this.fields = List.copyOf(fields.values());
        this.metadata = metadata;
        this.registry = registry;
    }

    @Override
    public void open(InitializationContext context) {
        schemas = registry.isEmpty() ? null : new SchemaRegistry(registry);
    }

    @Override
    public RowData deserialize(byte[] message) throws IOException {
        GenericRowData row = new GenericRowData(fields.size() + metadata.size());
        JsonToken[] tokens = new JsonToken[fields.size()];
        String[] texts = new String[fields.size()];
        String text;
        String reason;
        if (schemas != null && message != null && message.length > 0 && message[0] == 0) {
            AvroRecord record = new AvroRecord(message, Math.min(HEADER, message.length));
            reason = readAvro(message, record, tokens, texts);
            text = reason == null ? record.json() : new String(message, StandardCharsets.UTF_8);
        } else {
            text = message == null ? null : new String(message, StandardCharsets.UTF_8);
            boolean isEmpty = text == null || text.isEmpty();
            reason = isEmpty ? "empty message" : readJson(text, tokens, texts);
        }
        reason = reason == null ? check(tokens, texts, row) : reason;
        for (int i = 0; i < metadata.size(); i++) {
            boolean isReason = metadata.get(i).equals(CheckedJsonFormat.REASON);
            row.setField(fields.size() + i, StringData.fromString(isReason ? reason : text));
        }
        return row;
    }

    /** Reads the fields of a message that is an Avro record. Returns why it is none, or null. */
    private String readAvro(byte[] message, AvroRecord record, JsonToken[] tokens, String[] texts)
            throws IOException {
        if (message.length < HEADER) {
            return NOT_A_RECORD;
        }
        int id = ByteBuffer.wrap(message).getInt(1);
        Optional<Schema> schema = schemas.record(id);
        if (schema == null) {
            return "schema id unknown";
        }
        if (schema.isEmpty()) {
            return "schema not of an Avro record";
        }
        try {
            record.read(schema.get(), places, tokens, texts);
            return null;
        } catch (RuntimeException error) { // of many kinds, whatever the bytes make of it
            return NOT_A_RECORD;
        }
    }

    /** Reads the fields of a message that is a JSON object. Returns why it is none, or null. */
    private String readJson(String message, JsonToken[] tokens, String[] texts)
            throws IOException {
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
            return parser.nextToken() == null ? null : NOT_AN_OBJECT;
        } catch (JsonProcessingException error) {
            return NOT_AN_OBJECT;
        }
    }

    /** Puts the fields into a row. Returns why the first that breaks its rule does so, or null. */
    private String check(JsonToken[] tokens, String[] texts, GenericRowData row) {
        String first = null;
        for (int i = 0; i < texts.length; i++) {
            String reason = fields.get(i).read(tokens[i], texts[i], row, i);
            first = first == null ? reason : first;
        }
        return first;
    }
}
