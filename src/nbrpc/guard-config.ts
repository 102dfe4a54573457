/** The keys of `[nbrpc]` about the time when netsteward is not there: `while_down` and `[nbrpc.guard]`. */
import * as v from 'valibot';
import { integer } from '../core/schema.ts';
import { guardTable } from '../system/guard-table.ts';
import { interfaceProblem } from '../system/nft-text.ts';

const interfaceName = v.pipe(
  v.string('must be the name of an interface'),
  v.rawCheck(({ dataset, addIssue }) => {
    const problem = dataset.typed ? interfaceProblem(dataset.value) : undefined;
    if (problem !== undefined) addIssue({ message: problem });
  }),
);

const guard = v.strictObject({
  interfaces: v.pipe(
    v.array(interfaceName, 'must be a list of interfaces, such as ["lan0"]'),
    v.minLength(1, 'must name at least one interface'),
    v.maxLength(64, 'must name at most 64 interfaces'),
    v.check((names) => new Set(names).size === names.length, 'must name each interface only once'),
  ),
  // None of the low bits, which people count their tunnels by.
  mark: v.optional(integer(1, 0xffff_ffff), 0x4000_0000),
});

export type NbrpcGuard = v.InferOutput<typeof guard>;

/** To be spread into the schema of `[nbrpc]`. */
export const guardKeys = {
  while_down: v.optional(v.picklist(['direct', 'drop'], 'must be "direct" or "drop"'), 'direct'),
  guard: v.optional(guard),
};

interface Guarded {
  readonly while_down: 'direct' | 'drop';
  readonly on_stop: 'keep' | 'flush';
  readonly guard?: NbrpcGuard | undefined;
  readonly sets?: object | undefined;
  readonly table?: { readonly name: string; readonly mask: number; readonly mark_forwarded: boolean } | undefined;
}

export interface GuardProblem {
  readonly path:
    | readonly ['while_down' | 'on_stop']
    | readonly ['guard', 'mark']
    | readonly ['table', 'name' | 'mark_forwarded'];
  readonly message: string;
}

/** What keys of `[nbrpc]` say against each other. `mask`: which bits of the mark the own table's exits have. */
export function guardProblems(value: Guarded, mask: number): readonly GuardProblem[] {
  const problems: GuardProblem[] = [];
  const { while_down: whileDown, guard: found, table, sets } = value;
  if (whileDown === 'drop' && found === undefined) {
    const message = 'needs [nbrpc.guard] with interfaces = ["lan0"], the interfaces whose traffic it drops';
    problems.push({ path: ['while_down'], message });
  }
  if (whileDown === 'drop' && sets !== undefined) {
    const message =
      'needs [nbrpc.table], whose mark lifts the drop: sets of yours stay in your ruleset without netsteward';
    problems.push({ path: ['while_down'], message });
  }
  if (whileDown === 'drop' && value.on_stop === 'flush') {
    const message = 'must be "keep" beside while_down = "drop": flush opens the direct way at each stop';
    problems.push({ path: ['on_stop'], message });
  }
  if (found !== undefined && (found.mark & mask) !== 0) {
    problems.push({ path: ['guard', 'mark'], message: 'must have no bits of nbrpc.table.mask' });
  }
  if (whileDown === 'drop' && table?.mark_forwarded === false) {
    problems.push({
      path: ['table', 'mark_forwarded'],
      message: 'must be true beside while_down = "drop", which nothing else lifts',
    });
  }
  if (table?.name === guardTable.name) {
    problems.push({ path: ['table', 'name'], message: 'is the name of the table that `netsteward guard` loads' });
  }
  return problems;
}
