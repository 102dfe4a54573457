/** The polkit rule for cures: run as polkitd runs it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import type { Cure } from '../../../src/dnstest/cures.ts';
import { polkitRule } from '../../../src/dnstest/polkit-rule.ts';
import { checkout } from '../../checkout.ts';

const common = { timeout: 1, settle: 1 };
const cures: readonly Cure[] = [
  { kind: 'flush', command: ['flush'], ...common },
  { kind: 'reload', unit: 'unbound.service', ...common },
  { kind: 'restart', unit: 'unbound.service', ...common },
];
const manage = 'org.freedesktop.systemd1.manage-units';

/** What the rule says to `verb` of `unit`. */
function verdict(rule: string, verb: string, unit: string, user = 'netsteward', id = manage): unknown {
  let said: unknown;
  const polkit = {
    Result: { YES: 'yes', NOT_HANDLED: 'not handled' },
    addRule: (judge: (action: object, subject: object) => unknown) => {
      const details: Record<string, string> = { verb, unit };
      said = judge({ id, lookup: (key: string) => details[key] }, { user });
    },
  };
  runInNewContext(rule, { polkit });
  return said;
}

test('the units of the cures may be restarted and reloaded, and nothing else may be done', () => {
  const rule = polkitRule(cures, 'netsteward') ?? assert.fail();
  for (const verb of ['restart', 'try-restart', 'reload']) assert.equal(verdict(rule, verb, 'unbound.service'), 'yes');
  for (const verb of ['stop', 'start', 'kill', 'reload-or-restart', 'constructor', '']) {
    assert.equal(verdict(rule, verb, 'unbound.service'), 'not handled', verb);
  }
  assert.equal(verdict(rule, 'restart', 'ssh.service'), 'not handled');
  assert.equal(verdict(rule, 'restart', 'unbound.service', 'nobody'), 'not handled');
  assert.equal(
    verdict(rule, 'restart', 'unbound.service', 'netsteward', 'org.freedesktop.login1.reboot'),
    'not handled',
  );
});

test('a unit that is reloaded alone may not be restarted', () => {
  const rule = polkitRule(cures.slice(0, 2), 'netsteward') ?? assert.fail();
  assert.equal(verdict(rule, 'reload', 'unbound.service'), 'yes');
  assert.equal(verdict(rule, 'restart', 'unbound.service'), 'not handled');
});

test('a name with a backslash, as of an escaped unit, is that name', () => {
  const rule = polkitRule([{ kind: 'restart', unit: 'a\\x2db@c.service', ...common }], 'me') ?? assert.fail();
  assert.equal(verdict(rule, 'restart', 'a\\x2db@c.service', 'me'), 'yes');
});

test('where no cure starts a unit there is no rule', () => {
  assert.equal(polkitRule(cures.slice(0, 1), 'netsteward'), undefined);
});

test('the file in packaging/ is the rule for unbound.service', () => {
  const file = readFileSync(join(checkout, 'packaging', 'netsteward-dnstest.rules'), 'utf8');
  assert.equal(file, polkitRule(cures, 'netsteward'));
});
