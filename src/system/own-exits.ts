/** The sets of a table of our own for several exits, and for what is dropped: names that nbrpc and nft-agent both know. */

/** Of the exit with this name: letters, digits, `_`, `-`. */
export function ownExitSets(exit: string): { readonly blocked4: string; readonly blocked6: string } {
  return { blocked4: `blocked4-${exit}`, blocked6: `blocked6-${exit}` };
}

/** Whether a set of this name can be one of ours, of this configuration or of another. */
export function isOwnSet(name: string): boolean {
  return /^(?:blocked|drop|listed|seen)[46]$/.test(name) || /^blocked[46]-[A-Za-z0-9_-]+$/.test(name);
}

export function isExitName(name: string): boolean {
  return /^[A-Za-z0-9_-]{1,32}$/.test(name);
}
