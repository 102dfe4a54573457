/** The [cgroup-nft] table: defaults, what is made of its values, and every way in which it can be wrong. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CgroupNftConfig, parseCgroupNft } from '../../../src/cgroup-nft/config.ts';
import { markedGroup } from '../../../src/cgroup-nft/marked-group.ts';

type Table = Readonly<Record<string, unknown>>;

function configOf(table: Table): CgroupNftConfig {
  const parsed = parseCgroupNft(table);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.config;
}

/** `path: message` of each problem. */
function problemsOf(table: Table): readonly string[] {
  const parsed = parseCgroupNft(table);
  assert.ok(!parsed.ok, 'it was taken');
  return parsed.problems.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const group = (changes: Table = {}): Table => ({ name: 'mail', units: ['postfix.service'], mark: 0x20000, ...changes });
const groupOf = (changes: Table): CgroupNftConfig['group'][number] =>
  configOf({ group: [group(changes)] }).group[0] ?? assert.fail();
const groupProblems = (changes: Table): readonly string[] => problemsOf({ group: [group(changes)] });

describe('the table', () => {
  it('needs no more than files, and the rest has defaults', () => {
    assert.deepEqual(configOf({ files: ['/etc/nftables.conf'] }), {
      files: ['/etc/nftables.conf'],
      flush: false,
      reload_with_units: [],
      reapply_with_units: [],
      cooldown: 300,
      resync: 600_000,
      nice: -20,
      realtime: true,
      on_stop: 'keep',
      table: { name: 'netsteward-units' },
      group: [],
    });
  });

  it('or no more than a group', () => {
    assert.deepEqual(groupOf({}), {
      name: 'mail',
      units: ['postfix.service'],
      mark: 0x20000,
      mask: 0x20000,
      protocols: [],
      ports: [],
      directions: ['out'],
    });
  });

  it('with neither is refused, as with empty ones', () => {
    for (const table of [{}, { files: [] }, { files: [], group: [] }]) {
      assert.deepEqual(problemsOf(table), [': must have files or a [[cgroup-nft.group]]']);
    }
  });

  it('tells every problem at once, unknown keys among them', () => {
    const table = { files: ['relative'], cooldown: '2h', nice: -21, on_stop: 'maybe', colour: 1, table: { mark: 1 } };
    assert.deepEqual([...problemsOf(table)].sort(), [
      'colour: unknown key',
      'cooldown: must be between 0 ms and 3600000 ms',
      'files.0: must be an absolute path',
      'nice: must be a whole number from -20 to 19',
      'on_stop: must be "keep" or "flush"',
      'table.mark: unknown key',
    ]);
  });

  it('takes units with their ending alone', () => {
    const message = 'must be the name of a unit with its ending, such as "nftables.service"';
    assert.deepEqual(
      problemsOf({ files: ['/f'], reload_with_units: ['nftables'], reapply_with_units: ['a b.service'] }),
      [`reload_with_units.0: ${message}`, `reapply_with_units.0: ${message}`],
    );
    assert.deepEqual(configOf({ files: ['/f'], reload_with_units: ['nftables.service'] }).reload_with_units, [
      'nftables.service',
    ]);
  });

  it('takes no name for its own table that nft could read as more', () => {
    for (const name of ['', '1units', 'units; flush ruleset', 'a b', 'x'.repeat(256)]) {
      assert.deepEqual(problemsOf({ files: ['/f'], table: { name } }), [
        'table.name: must start with a letter and have only letters, digits, "_", "-" and "."',
      ]);
    }
  });
});

describe('a group', () => {
  it('marks within its mask', () => {
    assert.equal(groupOf({ mark: 0x10, mask: 0xf0 }).mask, 0xf0);
    assert.equal(groupOf({ mark: 0, mask: 1 }).mark, 0);
    assert.equal(groupOf({ mark: 0xffffffff }).mask, 0xffffffff);
    assert.deepEqual(groupProblems({ mark: 0x11, mask: 0xf0 }), ['group.0: mark has bits outside of mask']);
    assert.deepEqual(groupProblems({ mark: 0 }), ['group.0: mark must not be 0 without a mask']);
    assert.deepEqual(groupProblems({ mark: 2 ** 32 }), [
      `group.0.mark: must be a whole number from 0 to ${2 ** 32 - 1}`,
    ]);
  });

  it('takes ports as numbers, texts and ranges', () => {
    assert.deepEqual(groupOf({ ports: [25, 587n, '465', '6000-6063', '1-65535'] }).ports, [
      { from: 25, to: 25 },
      { from: 587, to: 587 },
      { from: 465, to: 465 },
      { from: 6000, to: 6063 },
      { from: 1, to: 65_535 },
    ]);
    const message = 'must be a port such as 25 or a range such as "6000-6063"';
    for (const port of [0, 65_536, -1, 1.5, '', 'smtp', '20-10', '1-2-3', true, '25; accept']) {
      assert.deepEqual(groupProblems({ ports: [port] }), [`group.0.ports.0: ${message}`], String(port));
    }
  });

  it('has one direction or both', () => {
    assert.deepEqual(groupOf({ direction: 'in' }).directions, ['in']);
    assert.deepEqual(groupOf({ direction: 'both' }).directions, ['out', 'in']);
    assert.deepEqual(groupProblems({ direction: 'up' }), ['group.0.direction: must be "out", "in" or "both"']);
  });

  it('is of tcp and udp alone', () => {
    assert.deepEqual(groupOf({ protocols: ['udp', 'tcp'] }).protocols, ['udp', 'tcp']);
    assert.deepEqual(groupProblems({ protocols: ['icmp'] }), ['group.0.protocols.0: must be "tcp" or "udp"']);
  });

  it('has units, each of them one that can be looked for', () => {
    assert.deepEqual(groupProblems({ units: [] }), ['group.0.units: must name at least one unit']);
    assert.deepEqual(groupProblems({ units: ['a.service', 'b[.service', '**'] }), [
      'group.0.units.1: a "[" is not closed',
      'group.0.units.2: after "**" the name of the unit is missing',
    ]);
  });

  it('has a name that a set can be called by, and no other group has', () => {
    for (const name of ['', '1', 'a b', 'a.b', 'x'.repeat(65), '-a']) {
      assert.equal(groupProblems({ name }).length, 1, name);
    }
    assert.deepEqual(problemsOf({ group: [group(), group()] }), ['group: has two groups of one name']);
  });

  it('says what is missing', () => {
    assert.deepEqual(problemsOf({ group: [{}] }), [
      'group.0.name: is missing',
      'group.0.units: is missing',
      'group.0.mark: is missing',
    ]);
  });

  it('is told to the kernel without what only the daemon has to know', () => {
    assert.deepEqual(markedGroup(groupOf({ ports: [25], protocols: ['tcp'], direction: 'both' })), {
      name: 'mail',
      mark: 0x20000,
      mask: 0x20000,
      protocols: ['tcp'],
      ports: [{ from: 25, to: 25 }],
      directions: ['out', 'in'],
    });
  });
});
