/** The blocks of a zone without all that stands between them: what a server keeps in memory of a large file (pure). */
import { type Block, parseZone, type Zone } from './zone-file.ts';

const lineFeed = 0x0a;

/** Whether a copy of the blocks alone is worth it. */
export function isSparse({ bytes, blocks }: Zone): boolean {
  let inBlocks = 0;
  for (const { start, body } of blocks) inBlocks += body.end - start + 1;
  return inBlocks * 2 < bytes.length;
}

/** The same blocks in memory of their own, an empty line after each; problems keep the line numbers of the file. */
export function blocksAlone(zone: Zone): Zone {
  const pieces: Uint8Array[] = [];
  for (const { start, body } of zone.blocks) {
    const text = zone.bytes.subarray(start, body.end);
    pieces.push(text, Buffer.from(text.at(-1) === lineFeed ? '\n' : '\n\n'));
  }
  const alone = parseZone(Buffer.concat(pieces), { optional: zone.optional });
  return { ...alone, problems: zone.problems, problemCount: zone.problemCount };
}

/**
 * The file of `zone` with its blocks as they are in `edited`, which came of `blocksAlone(zone)`: pieces, one after the other,
 * which share the memory of both.
 */
export function withBlocks(zone: Zone, edited: Zone): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const [index, block] of zone.blocks.entries()) {
    const next = edited.blocks[index];
    if (next === undefined) throw new Error(`block ${index} is missing`);
    const [before, after] = [textOf(zone, block), textOf(edited, next)];
    // The line feed that the last line of the file has not.
    const made = before.at(-1) === lineFeed ? after : after.subarray(0, -1);
    if (made.equals(before)) continue;
    pieces.push(zone.bytes.subarray(from, block.start), made);
    from = block.body.end;
  }
  pieces.push(zone.bytes.subarray(from));
  return pieces;
}

function textOf({ bytes }: Zone, { start, body }: Block): Buffer {
  return bytes.subarray(start, body.end);
}
