/**
 * A RecordSink that an exporter hears as well. Owns nothing but that both get every record, and that both are kept alive.
 */
import type { RecordSink } from '../ports.ts';
import type { OtlpExporter } from './exporter.ts';

export function withExporter<S extends RecordSink>(sink: S, exporter: OtlpExporter): S {
  return {
    ...sink,
    add(record) {
      sink.add(record);
      exporter.add(record);
    },
    flushWhenOver() {
      const due = [sink.flushWhenOver(), exporter.exportWhenDue()].filter((work) => work !== undefined);
      return due.length === 0 ? undefined : Promise.all(due).then(() => undefined);
    },
  };
}
