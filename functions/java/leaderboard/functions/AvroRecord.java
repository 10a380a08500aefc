package leaderboard.functions;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.io.JsonStringEncoder;

/**
 * One record in Avro's binary form, read by the schema that it was written with, as the JSON object
 * that says the same: a field is found by its name, whatever else a newer schema has.
 *
 * <p>Avro's own reader believes a length before it has seen the bytes: five of them could claim two
 * gigabytes, and the TaskManager would die of it again and again. Here nothing is longer than what
 * is left of the message, an item of a list takes a byte at least, and a schema that repeats itself
 * without a byte comes to an end.
 */
final class AvroRecord {
    private static final int DEEPEST = 100;
    private static final int MOST_VALUES = 1_000_000;

    private final ByteBuffer in;
    private final StringBuilder json = new StringBuilder();
    private int values;
    // Of the value that was read last, as a JSON parser would tell it.
    private JsonToken token;
    private String text;

    AvroRecord(byte[] message, int start) {
        in = ByteBuffer.wrap(message, start, message.length - start);
        in.order(ByteOrder.LITTLE_ENDIAN);
    }

    /** The fields that have been read, as JSON for people. */
    String json() {
        return json.toString();
    }

    /**
     * Reads the fields that have places. Throws one of several RuntimeExceptions when the bytes are
     * not one record of the schema.
     */
    void read(Schema schema, Map<String, Integer> places, JsonToken[] tokens, String[] texts) {
        json.append('{');
        for (Schema.Field field : schema.getFields()) {
            named(field, 0);
            Integer place = places.get(field.name());
            if (place != null) {
                tokens[place] = token;
                texts[place] = text;
            }
        }
        json.append('}');
        require(!in.hasRemaining());
    }

    private void value(Schema schema, int depth) {
        require(depth < DEEPEST && values++ < MOST_VALUES);
        switch (schema.getType()) {
            case NULL -> scalar(JsonToken.VALUE_NULL, "null");
            case BOOLEAN -> {
                boolean isTrue = in.get() != 0;
                scalar(isTrue ? JsonToken.VALUE_TRUE : JsonToken.VALUE_FALSE, "" + isTrue);
            }
            case INT, LONG -> scalar(JsonToken.VALUE_NUMBER_INT, Long.toString(number()));
            case FLOAT -> scalar(JsonToken.VALUE_NUMBER_FLOAT, Float.toString(in.getFloat()));
            case DOUBLE -> scalar(JsonToken.VALUE_NUMBER_FLOAT, Double.toString(in.getDouble()));
            case STRING -> string(characters());
            case ENUM -> string(schema.getEnumSymbols().get(Math.toIntExact(number())));
            case UNION -> value(schema.getTypes().get(Math.toIntExact(number())), depth + 1);
            case BYTES -> opaque(number());
            case FIXED -> opaque(schema.getFixedSize());
            case ARRAY -> items(schema.getElementType(), false, depth + 1);
            case MAP -> items(schema.getValueType(), true, depth + 1);
            case RECORD -> {
                json.append('{');
                schema.getFields().forEach(field -> named(field, depth + 1));
                structure("}", JsonToken.START_OBJECT);
            }
        }
    }

    private void items(Schema schema, boolean isMap, int depth) {
        json.append(isMap ? '{' : '[');
        String separator = "";
        for (long count = number(); count != 0; count = number()) {
            if (count < 0) {
                number(); // the size of the block in bytes
            }
            for (long left = Math.abs(count); left > 0; left--) {
                int began = in.position();
                json.append(separator);
                separator = ",";
                if (isMap) {
                    quote(characters());
                    json.append(':');
                }
                value(schema, depth);
                require(in.position() > began);
            }
        }
        structure(isMap ? "}" : "]", isMap ? JsonToken.START_OBJECT : JsonToken.START_ARRAY);
    }

    private void scalar(JsonToken read, String written) {
        token = read;
        text = written;
        json.append(written);
    }

    private void string(String read) {
        token = JsonToken.VALUE_STRING;
        text = read;
        quote(read);
    }

    private void structure(String end, JsonToken read) {
        json.append(end);
        token = read;
        text = "";
    }

    /** Bytes that are no text: a structure, as far as a field that should be one is concerned. */
    private void opaque(long length) {
        bytes(length);
        json.append('[').append(length);
        structure(" bytes]", JsonToken.START_ARRAY);
    }

    private void named(Schema.Field field, int depth) {
        json.append(field.pos() == 0 ? "" : ",");
        quote(field.name());
        json.append(':');
        value(field.schema(), depth);
    }

    private void quote(String read) {
        json.append('"');
        JsonStringEncoder.getInstance().quoteAsString(read, json);
        json.append('"');
    }

    private String characters() {
        int length = bytes(number());
        int start = in.arrayOffset() + in.position() - length;
        return new String(in.array(), start, length, StandardCharsets.UTF_8);
    }

    /** Passes so many bytes. */
    private int bytes(long length) {
        require(length >= 0 && length <= in.remaining());
        in.position(in.position() + (int) length);
        return (int) length;
    }

    private long number() {
        long zigzag = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte next = in.get();
            zigzag |= (next & 0x7FL) << shift;
            if (next >= 0) {
                return (zigzag >>> 1) ^ -(zigzag & 1);
            }
        }
        throw new IllegalArgumentException("a number of more than ten bytes");
    }

    private static void require(boolean holds) {
        if (!holds) {
            throw new IllegalArgumentException("not what the schema says");
        }
    }
}
