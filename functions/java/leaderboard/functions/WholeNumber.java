package leaderboard.functions;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Whole numbers in the many ways of writing them, decided as decimals: 12, 12.0, 1.2e1, "+12". */
final class WholeNumber {
    private static final Pattern NUMBER =
            Pattern.compile("([+-]?)(?=\\.?\\d)0*+(\\d*+)(?:\\.(\\d*+))?+(?:[eE]([+-]?\\d++))?+");
    private static final int LONGEST = 18; // digits that surely fit into a long

    private WholeNumber() {}

    /**
     * The number that a text says; null when it is no number, or not a whole one. What is too large
     * for a long is the largest long, or the smallest.
     */
    static Long of(String text) {
        Matcher number = NUMBER.matcher(text);
        if (!number.matches()) {
            return null;
        }
        String fraction = number.group(3) == null ? "" : number.group(3);
        String digits = (number.group(2) + fraction).replaceFirst("^0++", "");
        int significant = digits.length();
        while (significant > 0 && digits.charAt(significant - 1) == '0') {
            significant--;
        }
        if (significant == 0) {
            return 0L;
        }
        long zeros = digits.length() - significant - fraction.length() + exponent(number.group(4));
        if (zeros < 0) {
            return null;
        }
        boolean isNegative = number.group(1).equals("-");
        if (significant + zeros > LONGEST) {
            return isNegative ? Long.MIN_VALUE : Long.MAX_VALUE;
        }
        String all = digits.substring(0, significant) + "0".repeat((int) zeros);
        return isNegative ? -Long.parseLong(all) : Long.parseLong(all);
    }

    /** An exponent; one that has no end is as good as one that is longer than any message. */
    private static long exponent(String text) {
        if (text == null) {
            return 0;
        }
        String digits = text.replaceFirst("^([+-]?)0++(?=\\d)", "$1");
        long bound = digits.startsWith("-") ? Long.MIN_VALUE / 2 : Long.MAX_VALUE / 2;
        return digits.length() > LONGEST ? bound : Long.parseLong(digits);
    }
}
