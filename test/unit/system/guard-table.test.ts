/** The kill switch's table as text. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardOperations, noGuardOperations } from '../../../src/system/guard-table.ts';
import { nftScript } from '../../../src/system/nft-script.ts';

test('what the LAN sends elsewhere without the bit is dropped, the bit goes, and an older table is replaced', () => {
  assert.equal(
    nftScript(...guardOperations({ interfaces: ['lan0', 'br-guest.10'], mark: 0x20000 })).text,
    `add table inet netsteward-guard
delete table inet netsteward-guard
add table inet netsteward-guard
add chain inet netsteward-guard forward { type filter hook forward priority mangle; policy accept; }
add rule inet netsteward-guard forward iifname { "lan0", "br-guest.10" } oifname != { "lan0", "br-guest.10" } meta mark & 0x00020000 != 0x00020000 counter drop
add rule inet netsteward-guard forward meta mark set meta mark & 0xfffdffff | 0x00000000
`,
  );
});

test('taking it away works whether it is there or not', () => {
  const text = 'add table inet netsteward-guard\ndelete table inet netsteward-guard\n';
  assert.equal(nftScript(...noGuardOperations()).text, text);
});

test('a name that is no interface, or a pattern of some, gets into no script', () => {
  for (const name of ['', 'lan*', 'lan0" } accept #', 'a name', 'sixteen-letters-', '..', 'é', 'a\nb']) {
    assert.throws(
      () => nftScript(...guardOperations({ interfaces: [name], mark: 1 })),
      { code: 'nft-script-invalid' },
      name,
    );
  }
});
