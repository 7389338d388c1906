/* Reads public messages by their `ce-type`. First `SCHEMAS=…/docs/contract/schemas npm run types`, then `npm run build`. */
import { readFileSync } from "node:fs";
import type { SendCountsV1 } from "./types/broadcasts.counts.send.v1.js";
import type { BroadcastCreatedV1 } from "./types/broadcasts.event.created.v1.js";
import type { BroadcastSentV1 } from "./types/broadcasts.event.sent.v1.js";
import type { BroadcastStoppedV1 } from "./types/broadcasts.event.stopped.v1.js";

interface Messages {
  "broadcasts.counts.send.v1": SendCountsV1;
  "broadcasts.event.created.v1": BroadcastCreatedV1;
  "broadcasts.event.sent.v1": BroadcastSentV1;
  "broadcasts.event.stopped.v1": BroadcastStoppedV1;
}

type Handlers = { [Type in keyof Messages]: (message: Messages[Type]) => string };

const handlers: Handlers = {
  "broadcasts.counts.send.v1": (counts) => `batch ${counts.batch}: ${counts.delivered} of ${counts.total}`,
  "broadcasts.event.created.v1": (created) => `created: ${created.title}`,
  "broadcasts.event.sent.v1": (sent) => `sent: ${sent.counts.delivered} of ${sent.counts.total}`,
  "broadcasts.event.stopped.v1": (stopped) => `stopped: ${stopped.counts.pending} wait`,
};

/** What a message says; nothing for a type that is not known here, which is to be ignored. */
export function told(ceType: string, body: string): string | undefined {
  const handler = handlers[ceType as keyof Messages] as ((message: unknown) => string) | undefined;
  return handler?.(JSON.parse(body));
}

console.log(told(process.argv[2] ?? "", readFileSync(0, "utf8")) ?? "unknown, ignored");
