export function quality(root) { root.append(); }
