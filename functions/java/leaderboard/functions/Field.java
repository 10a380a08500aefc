package leaderboard.functions;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.time.DateTimeException;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.shaded.guava33.com.google.common.base.CharMatcher;
import org.apache.flink.shaded.guava33.com.google.common.math.LongMath;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.core.JsonToken;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.StringData;
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
 *   <li>{@code time}: a string with a date and a time, {@code 2026-11-28 10:15:30.123456} in UTC, or
 *       ISO 8601 with {@code T}, and with {@code Z} or an offset; up to nine decimals. A BIGINT of
 *       epoch milliseconds, rounded down.
 *   <li>{@code optional …} before one of these: what is missing, null, empty or of another type is
 *       absent, which is no reason for a rejection. Only a string is a text here.
 * </ul>
 */
final class Field implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final Pattern RULE =
            Pattern.compile(
                    "(optional )?(?:(time|number(?: from (-?\\d{1,18}) to (-?\\d{1,18}))?)"
                            + "|(text|id)(?: up to (\\d{1,9}))?)");
    private static final Pattern NUMBER =
            Pattern.compile(
                    "([+-]?)(?=\\.?\\d)(\\d*+)\\.?+(\\d*+)(?:[eE]([+-]?)(?=\\d)0*+(\\d*+))?+");
    private static final Pattern TIME =
            Pattern.compile(
                    "(\\d{4}-\\d\\d-\\d\\d)[ T](\\d\\d:\\d\\d(?::\\d\\d(?:\\.\\d{1,9})?)?)"
                            + "(Z|[+-]\\d\\d(?::?\\d\\d)?)?");
    private static final CharMatcher WHITE_SPACE = CharMatcher.anyOf(" \t\n\r");
    private static final CharMatcher ZERO = CharMatcher.is('0');
    private static final int LONGEST = 18; // digits that surely fit into a long

    private final String name;
    private final boolean isOptional;
    private final boolean isNumber;
    private final boolean isTime;
    private final boolean isId;
    private final long least;
    private final long most;

    /** Throws ValidationException for a rule that is none for a column of that type. */
    Field(String name, String rule, LogicalTypeRoot type) {
        Matcher parts = RULE.matcher(rule);
        isNumber = type == LogicalTypeRoot.BIGINT;
        if (!parts.matches() || isNumber != (parts.group(2) != null)) {
            throw new ValidationException(
                    "'checked-json.fields." + name + "' = '" + rule + "' is no rule for a " + type
                            + ". Rules are '[optional] number [from A to B]' and '[optional] time'"
                            + " for a BIGINT, and '[optional] text|id [up to N]' for a STRING.");
        }
        this.name = name;
        isOptional = parts.group(1) != null;
        isTime = "time".equals(parts.group(2));
        isId = "id".equals(parts.group(5));
        String last = parts.group(isNumber ? 4 : 6);
        least = parts.group(3) == null ? Long.MIN_VALUE : Long.parseLong(parts.group(3));
        most = last == null ? Long.MAX_VALUE : Long.parseLong(last);
    }

    /**
     * Puts the value of a token, which is null when there is none, into a row. Returns why the
     * message is to be rejected for it, or null.
     */
    String read(JsonToken token, String text, GenericRowData row, int place) {
        if (token == null || token == JsonToken.VALUE_NULL) {
            return isOptional ? null : name + " missing";
        }
        if (isTime) {
            return readTime(token, text, row, place);
        }
        return isNumber ? readNumber(token, text, row, place) : readText(token, text, row, place);
    }

    private String readTime(JsonToken token, String text, GenericRowData row, int place) {
        Long millis = token == JsonToken.VALUE_STRING ? millis(text) : null;
        row.setField(place, millis);
        return millis == null && !isOptional ? name + " not a time" : null;
    }

    /** The time that a text says, in epoch milliseconds; null when it is none. */
    private static Long millis(String text) {
        Matcher time = TIME.matcher(text);
        if (!time.matches()) {
            return null;
        }
        try {
            String offset = Objects.requireNonNullElse(time.group(3), "Z");
            return LocalDateTime.parse(time.group(1) + "T" + time.group(2))
                    .toInstant(ZoneOffset.of(offset))
                    .toEpochMilli();
        } catch (DateTimeException error) { // there is no 30 February
            return null;
        }
    }

    private String readNumber(JsonToken token, String text, GenericRowData row, int place) {
        boolean isUsual = token == JsonToken.VALUE_NUMBER_INT && text.length() <= LONGEST;
        Long number = isUsual ? Long.valueOf(text) : wholeNumber(text);
        row.setField(place, number);
        if (number == null) {
            return isOptional ? null : name + " not a whole number";
        }
        if (number < least) {
            return name + " below " + least;
        }
        return number > most ? name + " above " + most : null;
    }

    private String readText(JsonToken token, String text, GenericRowData row, int place) {
        if (isOptional && (token != JsonToken.VALUE_STRING || text.isEmpty())) {
            return null;
        }
        if (token.isStructStart()) {
            return name + " not a text";
        }
        row.setField(place, StringData.fromBytes(text.getBytes(StandardCharsets.UTF_8)));
        if (isId && WHITE_SPACE.matchesAllOf(text)) {
            return name + " blank";
        }
        if (text.codePointCount(0, text.length()) > most) {
            return name + " too long";
        }
        return most < Long.MAX_VALUE && text.indexOf('\0') >= 0 ? "U+0000 in a text" : null;
    }

    /**
     * The number that a text says; null when it is no number, or not a whole one. Takes time in
     * proportion to the length of the text, which BigDecimal does not.
     */
    private static Long wholeNumber(String text) {
        Matcher number = NUMBER.matcher(text);
        if (!number.matches()) {
            return null;
        }
        String digits = number.group(2) + number.group(3);
        long exponent = signed(number.group(4), Objects.toString(number.group(5), ""));
        long point = LongMath.saturatedAdd(number.group(2).length(), exponent);
        int behind = (int) Math.max(0, Math.min(point, digits.length()));
        if (!ZERO.matchesAllOf(digits.substring(behind))) {
            return null;
        }
        String whole = ZERO.trimLeadingFrom(digits.substring(0, behind));
        int zeros = whole.isEmpty() ? 0 : (int) Math.min(point - behind, LONGEST);
        return signed(number.group(1), whole + "0".repeat(zeros));
    }

    /** The number of these digits; the largest, when they are too many for a long. */
    private static long signed(String sign, String digits) {
        long size = digits.length() > LONGEST ? Long.MAX_VALUE : Long.parseLong("0" + digits);
        return "-".equals(sign) ? -size : size;
    }
}
