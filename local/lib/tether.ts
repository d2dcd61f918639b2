/**
 * Preloaded (`node --import`) into every child: when the parent is gone, however it went, the child goes too.
 * Owns nothing else; the child's own code does not know of it.
 */
process.on('disconnect', () => process.exit(0));
process.channel?.unref();
