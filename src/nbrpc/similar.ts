/** Names that somebody may have meant who wrote one that is not there (pure). */

/** Changes of one character that may lie between a name and what was meant. */
const mostChanges = 3;

/** The nearest first, at most `most`: those of the same site, those that contain it, and those with a slip of the keys. */
export function similarNames(wanted: string, names: Iterable<string>, most = 5): readonly string[] {
  const name = wanted.toLowerCase();
  const found: { readonly name: string; readonly distance: number }[] = [];
  for (const each of names) {
    const distance = distanceOf(name, each.toLowerCase());
    if (distance !== undefined) found.push({ name: each, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return found.slice(0, most).map((each) => each.name);
}

function distanceOf(wanted: string, name: string): number | undefined {
  // `www.example.org` for `example.org`, and the other way round.
  if (name.endsWith(`.${wanted}`) || wanted.endsWith(`.${name}`)) return 0.5;
  const changes = editDistance(wanted, name, mostChanges);
  if (changes !== undefined && changes * 3 <= wanted.length) return changes;
  return wanted.length >= 3 && name.includes(wanted) ? mostChanges + 1 : undefined;
}

/** Levenshtein's; undefined where it is more than `most`. */
function editDistance(a: string, b: string, most: number): number | undefined {
  if (Math.abs(a.length - b.length) > most) return undefined;
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(changed, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row) > most) return undefined;
    above = row;
  }
  const distance = above[b.length] ?? 0;
  return distance > most ? undefined : distance;
}
