/** `netsteward check --host` on machines that are fit, and on those that are not, each in a network namespace. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, test } from 'node:test';
import { mainJs } from '../checkout.ts';
import { insideNamespace, repeatInNamespace } from './nft-namespace.ts';

const folder = mkdtempSync(join(tmpdir(), 'netsteward-host-'));
after(() => rmSync(folder, { recursive: true }));
// Another user reads it too.
chmodSync(folder, 0o755);
writeFileSync(join(folder, 'services.list'), 'video.example\n', { mode: 0o644 });

/** A configuration file; gives its path. */
function config(name: string, nbrpc: string, before = ''): string {
  const path = join(folder, name);
  writeFileSync(path, `[nbrpc]\ncheck_lists = ["services.list"]\nstate = "nbrpc.db"\n${before}${nbrpc}`, {
    mode: 0o644,
  });
  return path;
}

const ownTable = config('table.toml', '');
const flushed = config('flushed.toml', '', 'on_stop = "flush"\n');
const setsText = '[nbrpc.sets]\nblocked4 = "b4"\nblocked6 = "b6"\n';
const ownSets = config('sets.toml', setsText);

interface Look {
  readonly code: number | null;
  readonly text: string;
  readonly stderr: string;
  /** Text of the findings of a severity, each with its remedy. */
  of(severity: 'ok' | 'WARNING' | 'ERROR'): string[];
}

function look(path: string, command: readonly string[] = [process.execPath], env: NodeJS.ProcessEnv = {}): Look {
  const [program = '', ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, [...args, mainJs, 'check', '--host', '-c', path], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(error, undefined);
  const findings = stdout.split(/\n(?! {8}→)/).map((each) => each.replace(/\n {8}→ /, ' → '));
  return {
    code: status,
    text: stdout,
    stderr,
    of: (severity) =>
      findings.filter((each) => each.startsWith(`${severity} `)).map((each) => each.slice(severity.length).trim()),
  };
}

/** What every machine with this nft and kernel says; whether it is fit for on_stop and cgroups is not of interest here. */
const beside = /^on_stop|socket cgroupv2|tables with an owner/;
const unfit = (seen: Look): string[] =>
  [...seen.of('ERROR'), ...seen.of('WARNING')].filter((each) => !beside.test(each));

function root(script: string): void {
  const { status, stderr } = spawnSync('bash', ['-ec', script], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}

const sysctl = (name: string, value: string): void => writeFileSync(`/proc/sys/net/ipv4/${name}`, value);

const tunnel = `
ip link add wg0 type veth peer name far; ip link set far up; ip address add 10.9.0.2/24 dev wg0; ip -6 address add fd00:9::2/64 dev wg0; ip link set wg0 up
ip rule add fwmark 0x10000/0x10000 lookup 100 priority 1000; ip route add default dev wg0 table 100
ip -6 rule add fwmark 0x10000/0x10000 lookup 100 priority 1000; ip -6 route add default dev wg0 table 100`;

/** This namespace as README.md asks for it. */
function makeFit(): void {
  root(`nft flush ruleset; ip link del wg0 2>/dev/null || true
    for family in -4 -6; do while ip $family rule del priority 1000 2>/dev/null; do :; done
      ip $family route flush table 100 2>/dev/null || true; done
    ${tunnel}`);
  for (const name of readdirSync('/proc/sys/net/ipv4/conf')) sysctl(`conf/${name}/rp_filter`, '2');
  sysctl('conf/all/src_valid_mark', '0');
  sysctl('ip_local_port_range', '32768 60999');
}

if (!insideNamespace) {
  test('check --host in a namespace of its own', (t) => repeatInNamespace(t, import.meta.url));
} else {
  beforeEach(makeFit);

  test('a machine that is as README.md asks for is fit', () => {
    const seen = look(ownTable);
    assert.deepEqual(unfit(seen), [], seen.text);
    assert.deepEqual([seen.code, seen.stderr], [0, '']);
    const fine = seen.of('ok');
    for (const line of [
      'the ruleset can be read',
      'table inet netsteward-nbrpc will be made',
      'IPv4: mark 0x10000/0x10000 goes to table 100, default route by wg0',
      'IPv6: mark 0x10000/0x10000 goes to table 100, default route by wg0',
      'exempt_source_ports 61000-64999 lie outside of net.ipv4.ip_local_port_range (32768-60999)',
      'IPv4: no strict reverse path filter',
      `nbrpc: ${join(folder, 'services.list')}: 1 host`,
      `nbrpc: ${join(folder, 'nbrpc.db')}: a new state file can be made`,
    ]) {
      assert.ok(fine.includes(line), `${line}\n${seen.text}`);
    }
  });

  test('the look changes nothing', () => {
    const dump = (): string =>
      ['nft list ruleset', 'ip rule', 'ip -6 rule', 'ip route show table all', `ls -R ${folder}`]
        .map((command) => spawnSync('bash', ['-c', command], { encoding: 'utf8' }).stdout)
        .join();
    const before = dump();
    look(ownTable);
    assert.equal(dump(), before);
  });

  test('state folders that run will make are no fault, those that it cannot make are', () => {
    mkdirSync(join(folder, 'closed'));
    const path = join(folder, 'deep.toml');
    writeFileSync(path, '[nbrpc]\ncheck_lists = ["services.list"]\nstate = "a/b/c/nbrpc.db"\n');
    assert.deepEqual(unfit(look(path)), []);
    writeFileSync(path, `[nbrpc]\ncheck_lists = ["services.list"]\nstate = "closed/b/nbrpc.db"\n`);
    const script = `mount -t tmpfs -o ro tmpfs ${join(folder, 'closed')}; exec "$0" "$@"`;
    const seen = look(path, ['unshare', '-m', 'bash', '-ec', script, process.execPath]);
    assert.equal(seen.code, 1);
    assert.match(unfit(seen).join('\n'), /^nbrpc: .*closed\/b\/nbrpc\.db: the state file cannot be written or made → /);
  });

  test('without nft the message says what to install', () => {
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const script = `mount --bind ${empty} /usr/sbin; exec "$0" "$@"`;
    const seen = look(ownTable, ['unshare', '-m', 'bash', '-ec', script, process.execPath], { PATH: '/usr/bin:/bin' });
    assert.deepEqual(seen.of('ERROR'), ['nft is not installed → apt-get install nftables']);
    assert.equal(seen.code, 1);
  });

  test('without permission the message says so', () => {
    // In a user namespace that maps nobody there are no capabilities after exec (user_namespaces(7)).
    const seen = look(ownTable, ['unshare', '-Un', process.execPath]);
    assert.ok(
      seen.of('ERROR').includes('no permission to read the ruleset → Run as root, or with CAP_NET_ADMIN.'),
      seen.text,
    );
    assert.equal(seen.code, 1);
  });

  test('sets that the configuration names and the ruleset lacks are errors, each with the line that makes it', () => {
    const missing = look(ownSets);
    assert.equal(missing.code, 1);
    assert.deepEqual(missing.of('ERROR'), [
      'set b4: there is no table inet filter → See nftables.example.conf.',
      'set b6: there is no table inet filter → See nftables.example.conf.',
    ]);
    root('nft add table inet filter; nft add set inet filter b4 "{ type ipv4_addr; }"');
    const one = look(ownSets);
    assert.equal(one.code, 1);
    const [, command = ''] =
      /^table inet filter has no set b6 → (nft .*), and in \/etc\/nftables\.conf too\.$/.exec(one.of('ERROR').join()) ??
      [];
    root(command);
    const both = look(ownSets);
    assert.deepEqual(unfit(both), [], both.text);
    assert.ok(both.of('ok').includes('set b6 of table inet filter holds ipv6_addr'));
  });

  test('a table of another family, and sets of another type or kind, are named', () => {
    root('nft add table ip filter');
    assert.deepEqual(look(ownSets).of('ERROR'), [
      'set b4: there is no table inet filter (there is a table filter of family ip) → See nftables.example.conf.',
      'set b6: there is no table inet filter (there is a table filter of family ip) → See nftables.example.conf.',
    ]);
    root(`nft add table inet filter; nft add set inet filter b4 '{ type ipv6_addr; }'
      nft add set inet filter b6 '{ type ipv6_addr; flags interval; }'`);
    const seen = look(ownSets);
    assert.deepEqual(seen.of('ERROR'), [
      'set b4 of table inet filter holds ipv6_addr, not ipv4_addr → Declare it with type ipv4_addr.',
    ]);
    assert.match(unfit(seen).join('\n'), /set b6 of table inet filter has intervals/);
  });

  for (const [family, command] of [
    ['IPv4', 'ip'],
    ['IPv6', 'ip -6'],
  ] as const) {
    test(`${family}: a missing rule, an empty table, a route without default and a dead one are warnings`, () => {
      const say = (): string[] => unfit(look(ownTable));
      root(`${command} route flush table 100`);
      const add = `${command} route add default dev TUNNEL table 100`;
      const found = `${family}: mark 0x10000/0x10000 goes to table 100`;
      assert.deepEqual(say(), [`${found}, which has no route: rerouted traffic goes the direct way → ${add}`]);
      root(`${command} route add ${family === 'IPv4' ? '192.0.2.0/24' : '2001:db8::/32'} dev wg0 table 100`);
      assert.deepEqual(say(), [`${found}, which has no default route → ${add}`]);
      root(`${command} route add blackhole default table 100`);
      assert.deepEqual(say(), [`${found}, whose default route is blackhole: rerouted traffic is dropped → ${add}`]);
      root(`${command} rule del priority 1000`);
      assert.deepEqual(say(), [
        `${family}: no ip rule before the main table looks at mark 0x10000/0x10000: rerouted traffic goes the direct way → ${command} rule add fwmark 0x10000/0x10000 table 100`,
      ]);
      // Behind the main table it is too late.
      root(`${command} rule add fwmark 0x10000/0x10000 lookup 100 priority 40000`);
      const late = say();
      root(`${command} rule del priority 40000`);
      assert.match(late.join(), /no ip rule before the main table/);
    });
  }

  test('a strict reverse path filter is a warning with its remedy, which helps', () => {
    const remedy =
      'sysctl -w net.ipv4.conf.all.rp_filter=2, and in /etc/sysctl.d too: 2 is the loose kind, and `all` counts for every interface.';
    sysctl('conf/all/rp_filter', '0');
    sysctl('conf/default/rp_filter', '0');
    sysctl('conf/wg0/rp_filter', '1');
    const drops = 'it drops answers that come through the tunnel';
    assert.deepEqual(unfit(look(ownTable)), [`IPv4: the reverse path filter is strict on wg0: ${drops} → ${remedy}`]);
    sysctl('conf/all/src_valid_mark', '1');
    assert.deepEqual(unfit(look(ownTable)), [
      `IPv4: the reverse path filter is strict on wg0: ${drops}, and (src_valid_mark = 1) marked packets from the LAN → ${remedy}`,
    ]);
    sysctl('conf/all/src_valid_mark', '0');
    sysctl('conf/wg0/rp_filter', '0');
    sysctl('conf/all/rp_filter', '1');
    const everywhere = unfit(look(ownTable)).join('\n');
    assert.match(everywhere, /strict on .*\bwg0\b/);
    assert.match(everywhere, /strict on .*interfaces that come later/);
    sysctl('conf/wg0/rp_filter', '1');
    sysctl('conf/all/rp_filter', '2');
    assert.deepEqual(unfit(look(ownTable)), [], 'the larger of both counts');
  });

  test('a strict reverse path filter is no matter where nothing is marked, which is itself a warning', () => {
    sysctl('conf/all/rp_filter', '1');
    const path = config('unmarked.toml', '[nbrpc.table]\nmark_forwarded = false\nmark_own = false\n');
    assert.deepEqual(unfit(look(path)), [
      'table inet netsteward-nbrpc marks nothing, so everything goes direct → Switch mark_forwarded or mark_own on.',
    ]);
  });

  test('source ports of the checks that the kernel gives to others too are a warning', () => {
    sysctl('ip_local_port_range', '1024 65000');
    const ports = '"32768 60999"';
    assert.deepEqual(unfit(look(ownTable)), [
      `exempt_source_ports 61000-64999 overlap net.ipv4.ip_local_port_range (1024-65000): connections of other programs that get such a port go the direct way → Take exempt_source_ports outside of it, or narrow it: sysctl -w net.ipv4.ip_local_port_range=${ports}.`,
    ]);
    root(`sysctl -q -w net.ipv4.ip_local_port_range=${ports}`);
    assert.deepEqual(unfit(look(ownTable)), []);
  });

  test('one finding says what on_stop will mean here, and the kernel does just that', () => {
    const stop = (seen: Look): string[] =>
      seen.text.split('\n').filter((line) => /on_stop = "/.test(line) && !/→/.test(line));
    const [kept = '', ...more] = stop(look(ownTable));
    assert.deepEqual(more, []);
    // What this kernel and this nft make of a table when its owner ends.
    const stays = (flags: string): boolean | undefined => {
      const input = `add table inet probe { flags ${flags}; }\nlist tables\n`;
      const { stdout } = spawnSync('nft', ['-i'], { input, encoding: 'utf8' });
      if (!stdout.includes('table inet probe')) return undefined;
      return spawnSync('nft', ['list', 'table', 'inet', 'probe']).status === 0;
    };
    const [persistent, owned] = [stays('owner, persist'), stays('owner')];
    if (persistent !== undefined) {
      assert.equal(persistent, true);
      assert.match(kept, /^ok .*flags owner, persist: it stays/);
    } else if (owned !== undefined) {
      assert.equal(owned, false);
      assert.match(kept, /^WARNING on_stop = "keep" cannot hold here: .* owner alone/);
    } else {
      assert.match(kept, /^ok .*has no owner: it stays/);
    }
    assert.match(stop(look(flushed)).join(), /^ok +on_stop = "flush": when netsteward stops the table .* goes/);
    root(
      `nft add table inet filter; nft add set inet filter b4 '{ type ipv4_addr; }'; nft add set inet filter b6 '{ type ipv6_addr; }'`,
    );
    assert.match(stop(look(ownSets)).join(), /^ok +on_stop = "keep": the sets of table inet filter stay/);
    const flushedSets = config('flushed-sets.toml', setsText, 'on_stop = "flush"\n');
    assert.match(stop(look(flushedSets)).join(), /^ok +on_stop = "flush": .* become empty/);
  });
}
