package leaderboard.functions;

import java.io.IOException;
import java.io.Serializable;
import java.nio.CharBuffer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonParser;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.binary.BinaryStringData;
import org.apache.flink.table.types.logical.LogicalTypeRoot;

/**
 * One field of a message and its rule:
 *
 * <ul>
 *   <li>{@code number}, {@code number from 0 to 100}: a whole number, also written as 12.0, 1e2 or
 *       "12"; a BIGINT.
 *   <li>{@code text}, {@code text up to 200}: a string; a number, true or false is taken as it is
 *       written. The length is in characters. A text with a limit is meant to be stored, so U+0000
 *       is refused in it: PostgreSQL cannot store that.
 *   <li>{@code id up to 128}: a text that is not empty, and not only white space.
 *   <li>{@code optional …} before one of these: what is missing, null, empty or of another type is
 *       absent, which is no reason for a rejection. Only a string is a text here.
 * </ul>
 */
final class Field implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Pattern RULE =
            Pattern.compile(
                    "(optional )?(?:(number)(?: from (-?\\d{1,18}) to (-?\\d{1,18}))?"
                            + "|(text|id)(?: up to (\\d{1,9}))?)");
    private static final Pattern WHITE_SPACE = Pattern.compile("[ \\t\\n\\r]*+");

    final String name;
    private final boolean isOptional;
    private final boolean isNumber;
    private final boolean isId;
    private final boolean isStored;
    private final long least;
    private final long most;

    private Field(String name, Matcher rule) {
        this.name = name;
        isOptional = rule.group(1) != null;
        isNumber = rule.group(2) != null;
        isId = "id".equals(rule.group(5));
        isStored = rule.group(6) != null;
        String first = isNumber ? rule.group(3) : null;
        String last = isNumber ? rule.group(4) : rule.group(6);
        least = first == null ? Long.MIN_VALUE : Long.parseLong(first);
        most = last == null ? Long.MAX_VALUE : Long.parseLong(last);
    }

    /** Throws ValidationException for a rule that is none. */
    static Field of(String name, String rule) {
        Matcher matcher = RULE.matcher(rule);
        if (!matcher.matches()) {
            throw new ValidationException(
                    "'checked-json.fields." + name + "' = '" + rule + "' is no rule. Rules are"
                            + " '[optional] number [from A to B]' and"
                            + " '[optional] text|id [up to N]'.");
        }
        return new Field(name, matcher);
    }

    LogicalTypeRoot type() {
        return isNumber ? LogicalTypeRoot.BIGINT : LogicalTypeRoot.VARCHAR;
    }

    /** Why a message without the field is rejected; null when it may be absent. */
    String missing() {
        return isOptional ? null : name + " missing";
    }

    /**
     * Reads the value at which a parser stands into {@code values[place]}. Returns why the message
     * is to be rejected for it, or null.
     */
    String read(JsonParser parser, Object[] values, int place) throws IOException {
        values[place] = null;
        JsonToken token = parser.currentToken();
        if (token.isStructStart()) {
            parser.skipChildren();
            return wrongType();
        }
        if (token == JsonToken.VALUE_NULL) {
            return missing();
        }
        return isNumber
                ? readNumber(parser, token, values, place)
                : readText(parser, token, values, place);
    }

    private String wrongType() {
        return isOptional ? null : name + (isNumber ? " not a whole number" : " not a text");
    }

    private String readNumber(JsonParser parser, JsonToken token, Object[] values, int place)
            throws IOException {
        Long number = null;
        if (token == JsonToken.VALUE_NUMBER_INT && parser.getTextLength() <= 18) {
            number = parser.getLongValue();
        } else if (token.isNumeric() || token == JsonToken.VALUE_STRING) {
            number = WholeNumber.of(parser.getText());
        }
        values[place] = number;
        if (number == null) {
            return wrongType();
        }
        return number < least
                ? name + " below " + least
                : number > most ? name + " above " + most : null;
    }

    private String readText(JsonParser parser, JsonToken token, Object[] values, int place)
            throws IOException {
        int length = parser.getTextLength();
        if (isOptional && (token != JsonToken.VALUE_STRING || length == 0)) {
            return null;
        }
        CharBuffer characters =
                CharBuffer.wrap(parser.getTextCharacters(), parser.getTextOffset(), length);
        BinaryStringData text = Text.of(characters);
        values[place] = text;
        if (isId && WHITE_SPACE.matcher(characters).matches()) {
            return name + " blank";
        }
        if (length > most && text.numChars() > most) {
            return name + " too long";
        }
        return isStored && Text.has(characters, '\0') ? "U+0000 in a text" : null;
    }
}
