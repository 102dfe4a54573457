/** What a look at an nft-agent that is a service of its own can find. */
export type AgentLook =
  /** It would take the configuration; `version`: its own. */
  | { readonly kind: 'fits'; readonly version: string }
  /** It answers, but would refuse; `code` as in its replies. */
  | { readonly kind: 'refuses'; readonly code: string; readonly message: string }
  | { readonly kind: 'silent'; readonly reason: string };
