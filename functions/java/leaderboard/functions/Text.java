package leaderboard.functions;

import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import org.apache.flink.core.memory.MemorySegment;
import org.apache.flink.shaded.guava33.com.google.common.hash.Hashing;
import org.apache.flink.table.data.StringData;
import org.apache.flink.table.data.binary.BinaryStringData;

/** Texts as bytes in UTF-8, which is how Flink's rows hold them. */
final class Text {
    private Text() {}

    /** The text of these characters; a lone surrogate becomes '?'. */
    static BinaryStringData of(CharBuffer characters) {
        byte[] bytes = new byte[characters.length()];
        for (int i = 0; i < bytes.length; i++) {
            char character = characters.charAt(i);
            if (character >= 0x80) {
                return of(characters.toString().getBytes(StandardCharsets.UTF_8));
            }
            bytes[i] = (byte) character;
        }
        return of(bytes);
    }

    /** The text of these bytes; null for null. */
    static BinaryStringData of(byte[] bytes) {
        return bytes == null ? null : BinaryStringData.fromBytes(bytes);
    }

    static boolean has(CharBuffer characters, char wanted) {
        for (int i = 0; i < characters.length(); i++) {
            if (characters.charAt(i) == wanted) {
                return true;
            }
        }
        return false;
    }

    /** 64 bits of which any two texts share all by chance only: FarmHash's fingerprint. */
    static long hash(StringData text) {
        return Hashing.farmHashFingerprint64().hashBytes(text.toBytes()).asLong();
    }

    /** The bytes of a text: the known ones when they say the same, which saves a copy. */
    static byte[] bytes(StringData text, byte[] known) {
        BinaryStringData binary = (BinaryStringData) text;
        return known != null && isSame(binary, known) ? known : binary.toBytes();
    }

    /** Whether a text has these bytes. */
    static boolean isSame(BinaryStringData text, byte[] bytes) {
        text.ensureMaterialized();
        int size = bytes.length;
        if (text.getSizeInBytes() != size || text.getSegments().length > 1) {
            return text.equals(of(bytes));
        }
        MemorySegment segment = text.getSegments()[0];
        for (int i = 0, at = text.getOffset(); i < size; i++, at++) {
            if (segment.get(at) != bytes[i]) {
                return false;
            }
        }
        return true;
    }
}
