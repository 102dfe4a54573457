/** What the watch of resolvers says of them, and who asks for names may hear: whether names can be believed at the moment. */

/** Of one resolver that is watched. */
export interface ResolverWord {
  /** Numeric; undefined: the system's own way (getaddrinfo). */
  readonly address: string | undefined;
  /** Undefined: it cannot be judged at the moment. */
  readonly right: boolean | undefined;
}

/** For who watches. */
export interface ResolverSpeaker {
  /** `holds`: milliseconds after which it is no word any more, unless it is said again. Never throws. */
  say(words: readonly ResolverWord[], holds: number): void;
}

/** For who asks for names. */
export interface ResolverHearer {
  /** What holds now; empty: nobody has said anything. Never throws. */
  words(): readonly ResolverWord[];
}

/**
 * Whether names can be believed that these servers give; undefined: nobody can say. `servers`: numeric addresses; undefined: the
 * system's own resolver, which may be any that is watched. One that answers right is enough, because who asks several takes
 * the first answer.
 */
export function believable(
  words: readonly ResolverWord[],
  servers: readonly string[] | undefined,
): boolean | undefined {
  const own = words.filter(
    ({ address }) => servers === undefined || (address !== undefined && servers.includes(address)),
  );
  if (own.some(({ right }) => right === true)) return true;
  return own.length > 0 && own.every(({ right }) => right === false) ? false : undefined;
}
