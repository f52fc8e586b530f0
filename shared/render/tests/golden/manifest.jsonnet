local labels = { app: "web" };
{
  deployment: {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", labels: labels },
    spec: { replicas: 3, selector: { matchLabels: labels }, template: { metadata: { labels: labels }, spec: { containers: [{ name: "web", image: "nginx:1.27", resources: { limits: { cpu: 0.25, memory: "64Mi" } } }] } } },
  },
  service: { apiVersion: "v1", kind: "Service", metadata: { name: "web" }, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } },
}
