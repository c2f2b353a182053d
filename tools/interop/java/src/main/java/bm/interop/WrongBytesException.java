package bm.interop;

/** What arrived is not what was sent. */
final class WrongBytesException extends RuntimeException {
  private static final long serialVersionUID = 1;

  WrongBytesException(String message) {
    super(message);
  }
}
