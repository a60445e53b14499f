export function segments(root) { root.append(); }
