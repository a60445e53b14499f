export function explorer(root) { root.append(); }
