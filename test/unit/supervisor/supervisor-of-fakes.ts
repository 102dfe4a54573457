/** A supervisor over modules, clock and service manager that a test speaks for. */
import assert from 'node:assert/strict';
import type { ModuleName } from '../../../src/core/module.ts';
import { type Configuration, parseConfiguration } from '../../../src/supervisor/config.ts';
import { Supervisor } from '../../../src/supervisor/supervisor.ts';
import { FakeClock } from '../../fakes/fake-clock.ts';
import { FakeModule } from '../../fakes/fake-module.ts';
import { FakeNotifier } from '../../fakes/fake-notifier.ts';
import { MemoryLog } from '../../fakes/memory-log.ts';

/** A configuration of two modules. */
export const two = '[nbrpc]\na = 1\n[dyndns]\nb = 1\n';

/** `file.text` is what a reload reads. */
export async function setUp(first: string) {
  const clock = new FakeClock();
  const log = new MemoryLog();
  const notifier = new FakeNotifier();
  const names: readonly ModuleName[] = ['nbrpc', 'cgroup-nft', 'dyndns'];
  const fakes = new Map(names.map((name) => [name, new FakeModule(name)]));
  const registry = new Map([...fakes].map(([name, fake]) => [name, async () => fake]));
  const file = { text: first };
  const source = { file: 'n.toml', overrides: [], workingDirectory: '/' };
  const load = () => parseConfiguration(file.text, source, registry);
  const applied: Configuration[] = [];
  const supervisor = new Supervisor(await load(), {
    clock,
    log,
    notifier,
    watchdogInterval: 15_000,
    load,
    applyGeneral: (configuration) => void applied.push(configuration),
    version: '1.2.3',
    pid: 42,
    configFile: 'n.toml',
  });
  const fake = (name: ModuleName): FakeModule => {
    const found = fakes.get(name);
    assert.ok(found);
    return found;
  };
  const codes = (): string[] => supervisor.status().warnings.map((warning) => warning.code);
  return { clock, log, notifier, file, applied, supervisor, codes, nbrpc: fake('nbrpc'), dyndns: fake('dyndns') };
}
