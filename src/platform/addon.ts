/** What loading the native addon came to. */
export type LoadedAddon = { readonly addon: unknown } | { readonly missing: string }
