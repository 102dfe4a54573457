/** The one root of all errors that netsteward raises on purpose: a stable code, what is wrong, and what to do about it. */

export interface ErrorDetails {
  /** What the reader can do about it: one imperative sentence. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

export class NetstewardError extends Error {
  override name = 'NetstewardError';
  /** Stable, kebab-case, for logs and scripts: `nft-refused`, `state-file-newer`. */
  readonly code: string;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.remedy = details.remedy;
  }
}

/** Any thrown value as one line of text without a stack: message, then the remedy where there is one. */
export function describeError(error: unknown): string {
  if (error instanceof NetstewardError) {
    return error.remedy === undefined ? error.message : `${error.message} (${error.remedy})`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a Node system error (`ENOENT`, `ECONNRESET`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}
