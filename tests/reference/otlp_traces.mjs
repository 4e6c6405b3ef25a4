// Writes spans as OpenTelemetry's own JavaScript exporter does, one request a line:
//
//     npm install @opentelemetry/sdk-trace-base @opentelemetry/otlp-transformer @opentelemetry/resources
//     node otlp_traces.mjs > tests/it/formats/otlp-traces-js.log
//
// The file stands in the repository: ids are random, all else is what this says.
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';

for (const version of ['2.3.0', '2.4.0-canary']) {
  const spans = [];
  const keep = { onStart() {}, onEnd: (span) => spans.push(span), shutdown: async () => {}, forceFlush: async () => {} };
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'orders', 'service.version': version }),
    spanProcessors: [keep],
  });
  const tracer = provider.getTracer('http', '1.0');
  for (let index = 0; index < 3; index++) {
    const start = Date.UTC(2026, 2, 2, 9, 0, index);
    const attributes = { 'http.route': '/upload', 'http.response.status_code': index === 2 ? 503 : 201, 'file.size': 123456 + index };
    const span = tracer.startSpan('PUT /upload', { kind: SpanKind.SERVER, startTime: start, attributes });
    if (index === 2) {
      span.setAttribute('error.type', 'TimeoutError');
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'upstream timed out' });
    }
    span.end(start + 512.25 + index);
  }
  console.log(new TextDecoder().decode(JsonTraceSerializer.serializeRequest(spans)));
}
