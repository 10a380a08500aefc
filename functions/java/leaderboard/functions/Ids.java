package leaderboard.functions;

/**
 * The ids of a key that were seen not long ago, each as 64 bits of hash and the minute in which it
 * was last counted: a hash table with open addressing, about 17 bytes an id. Two different ids are
 * taken for one with a chance of n / 2^64, where n is how many the key has had in that time.
 */
public class Ids {
    public long[] hashes = new long[0];
    public int[] minutes = new int[0]; // 0 where there is none
    public int size;

    /** Adds an id; false when it was there already, at most so many minutes earlier or later. */
    boolean add(long hash, int minute, int within) {
        int place = place(hash);
        if (place >= 0 && minutes[place] != 0) {
            if (Math.abs(minute - minutes[place]) <= within) {
                return false;
            }
            minutes[place] = minute;
            return true;
        }
        if (size >= hashes.length - hashes.length / 4) {
            rebuild(minute - within);
            place = place(hash);
        }
        put(place, hash, minute);
        return true;
    }

    /** Where an id stands, or may be put; -1 in a table without places. */
    private int place(long hash) {
        int mask = hashes.length - 1;
        if (mask < 0) {
            return -1;
        }
        int place = (int) hash & mask;
        while (minutes[place] != 0 && hashes[place] != hash) {
            place = place + 1 & mask;
        }
        return place;
    }

    private void put(int place, long hash, int minute) {
        hashes[place] = hash;
        minutes[place] = minute;
        size++;
    }

    /** Leaves out what is older, in a table that is as large as the rest needs. */
    void rebuild(int oldest) {
        int left = 1;
        for (int minute : minutes) {
            left += minute >= Math.max(oldest, 1) ? 1 : 0;
        }
        long[] oldHashes = hashes;
        int[] oldMinutes = minutes;
        int places = Integer.highestOneBit(Math.max(4, left * 3 / 2) - 1) << 1;
        hashes = new long[places];
        minutes = new int[places];
        size = 0;
        for (int i = 0; i < oldHashes.length; i++) {
            if (oldMinutes[i] >= Math.max(oldest, 1)) {
                put(place(oldHashes[i]), oldHashes[i], oldMinutes[i]);
            }
        }
    }
}
