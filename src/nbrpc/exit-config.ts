/** The keys of `[nbrpc]` about schedule and exits: `schedule`, `when_no_exit`, `[[nbrpc.exit]]` and `[[nbrpc.service]]`. */
import * as v from 'valibot';
import { integer } from '../core/schema.ts';
import { canonicalAddress, familyOf } from './address.ts';
import { dropsAny, type Exiting, ownSets } from './exits.ts';
import { hostNameProblem } from './host-name.ts';
import type { SetNames } from './sets.ts';

const address = v.pipe(
  v.string('must be an address such as "10.9.0.2"'),
  v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
    const found = canonicalAddress(dataset.value);
    if (found !== undefined) return found;
    addIssue({ message: 'must be an address such as "10.9.0.2" or "fd00::2"' });
    return NEVER;
  }),
);

const setName = v.optional(
  v.pipe(
    v.string('must be the name of an nftables set'),
    v.regex(
      /^[A-Za-z][A-Za-z0-9_.-]{0,254}$/,
      'must start with a letter and have only letters, digits, "_", "-" and "."',
    ),
  ),
);

const exit = v.strictObject({
  name: v.pipe(
    v.string('must be a name'),
    v.regex(/^[A-Za-z0-9_-]{1,32}$/, 'must be 1 to 32 letters, digits, "_" and "-"'),
  ),
  source: v.pipe(
    v.array(address, 'must be a list of one or two addresses of this machine, such as ["10.9.0.2"]'),
    v.minLength(1, 'must name an address of this machine, such as ["10.9.0.2"]'),
    v.check((all) => new Set(all.map(familyOf)).size === all.length, 'must name at most one address of each family'),
  ),
  mark: v.optional(integer(1, 0xffff_ffff)),
  blocked4: setName,
  blocked6: setName,
  endpoints: v.optional(v.array(address, 'must be a list of addresses'), []),
});

const whenNoExit = v.picklist(['direct', 'drop'], 'must be "direct" or "drop"');

const service = v.strictObject({
  host: v.pipe(
    v.string('must be a name of a check list, such as "example.org"'),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? hostNameProblem(dataset.value) : undefined;
      if (problem !== undefined) addIssue({ message: `must be a name of a check list: ${problem}` });
    }),
  ),
  when_no_exit: v.optional(whenNoExit),
  priority: v.optional(integer(-1_000_000, 1_000_000)),
});

/** To be spread into the schema of `[nbrpc]`. */
export const exitKeys = {
  schedule: v.optional(v.picklist(['prompt', 'original'], 'must be "prompt" or "original"'), 'prompt'),
  when_no_exit: v.optional(whenNoExit, 'direct'),
  exit: v.optional(
    v.pipe(v.array(exit, 'must be tables: [[nbrpc.exit]]'), v.maxLength(16, 'must be at most 16 exits')),
    [],
  ),
  service: v.optional(v.array(service, 'must be tables: [[nbrpc.service]]'), []),
};

export type ExitConfig = v.InferOutput<typeof exit>;
export type ServiceConfig = v.InferOutput<typeof service>;

export interface ExitProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

const bits = (mark: number): string => `0x${mark.toString(16)}`;

/** What these keys say against each other. `table`: mark and mask of the own table. */
export function exitProblems(
  value: Exiting,
  table: { readonly mark: number; readonly mask: number },
): readonly ExitProblem[] {
  const problems: ExitProblem[] = [];
  const { exit: exits, service: services, sets } = value;
  if (exits.length > 0 && value.schedule === 'original') {
    problems.push({ path: ['exit'], message: 'needs schedule = "prompt": the original schedule asks no exit' });
  }
  twice(
    exits.map(({ name }) => name),
    (index) => problems.push({ path: ['exit', index, 'name'], message: 'is the name of an exit above too' }),
  );
  twice(
    exits.flatMap(({ source }) => source),
    (index) => {
      const at = exits.findIndex((_, i) => exits.slice(0, i + 1).flatMap(({ source }) => source).length > index);
      problems.push({ path: ['exit', at, 'source'], message: 'has an address of an exit above too' });
    },
  );
  for (const problem of sets === undefined ? markProblems(exits, table) : setProblems(exits, sets)) {
    problems.push(problem);
  }
  twice(
    services.map(({ host }) => host),
    (index) => problems.push({ path: ['service', index, 'host'], message: 'has a table above already' }),
  );
  if (dropsAny(value) && sets !== undefined && sets.drop4 === undefined && sets.drop6 === undefined) {
    const wanted = value.when_no_exit === 'drop' ? -1 : services.findIndex((each) => each.when_no_exit === 'drop');
    const path = wanted < 0 ? ['when_no_exit'] : ['service', wanted, 'when_no_exit'];
    problems.push({
      path,
      message: '"drop" needs nbrpc.sets.drop4 or drop6, a set whose addresses your ruleset drops',
    });
  }
  return problems;
}

function markProblems(exits: readonly ExitConfig[], table: { mark: number; mask: number }): readonly ExitProblem[] {
  const problems: ExitProblem[] = [];
  for (const [index, { mark, blocked4, blocked6 }] of exits.entries()) {
    for (const [key, name] of Object.entries({ blocked4, blocked6 })) {
      if (name === undefined) continue;
      problems.push({ path: ['exit', index, key], message: 'needs [nbrpc.sets]; in the own table an exit has a mark' });
    }
    const path = ['exit', index, 'mark'];
    if (mark === undefined && index > 0) {
      problems.push({ path, message: 'is missing: each exit but the first needs a mark of its own' });
    } else if (mark !== undefined && (BigInt(mark) & ~BigInt(table.mask)) !== 0n) {
      const message = `has bits outside of nbrpc.table.mask, which is ${bits(table.mask)}: widen that mask`;
      problems.push({ path, message });
    }
  }
  sameMarks(exits, table.mark, problems);
  return problems;
}

/** `first`: the mark of the first exit where it has none of its own. */
function sameMarks(exits: readonly ExitConfig[], first: number, problems: ExitProblem[]): void {
  twice(
    exits.map(({ mark }, index) => mark ?? (index === 0 ? first : -1 - index)),
    (index) => problems.push({ path: ['exit', index, 'mark'], message: 'is the mark of an exit above too' }),
  );
}

function setProblems(exits: readonly ExitConfig[], sets: SetNames): readonly ExitProblem[] {
  const problems: ExitProblem[] = [];
  const { direct4, direct6, drop4, drop6 } = sets;
  const taken = new Set([direct4, direct6, drop4, drop6].filter((name) => name !== undefined));
  for (const [index, exit] of exits.entries()) {
    const { blocked4, blocked6 } = ownSets(exit, index, sets);
    if (blocked4 === undefined && blocked6 === undefined) {
      const message = 'is missing: beside [nbrpc.sets] an exit names blocked4 or blocked6, sets of its own';
      problems.push({ path: ['exit', index, 'blocked4'], message });
    }
    for (const [key, name] of Object.entries({ blocked4, blocked6 })) {
      if (name === undefined) continue;
      if (taken.has(name))
        problems.push({ path: ['exit', index, key], message: 'is named for something else already' });
      taken.add(name);
    }
  }
  sameMarks(exits, 0, problems);
  return problems;
}

function twice<Item>(items: readonly Item[], found: (index: number) => void): void {
  const seen = new Set<Item>();
  for (const [index, item] of items.entries()) {
    if (seen.has(item)) found(index);
    seen.add(item);
  }
}
