package bm.cluster;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a job computed, small enough to compare: the number of rows and the SHA-256 of their text. */
record Digest(int rows, String sha256, Map<String, Object> facts) {
  /** For rows whose order is part of the result. */
  static Digest ofOrdered(List<String> rows) {
    MessageDigest hash = sha256Hash();
    for (String row : rows) {
      hash.update(row.getBytes(StandardCharsets.UTF_8));
      hash.update((byte) '\n');
    }
    String hex = HexFormat.of().formatHex(hash.digest());
    return new Digest(rows.size(), hex, new LinkedHashMap<>());
  }

  /** For rows that may come in any order. */
  static Digest ofUnordered(List<String> rows) {
    return ofOrdered(rows.stream().sorted().toList());
  }

  /** Notes something that only a cluster shows; it takes no part in comparisons. */
  Digest with(String fact, Object value) {
    facts.put(fact, value);
    return this;
  }

  private static MessageDigest sha256Hash() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
