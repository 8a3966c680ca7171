// `validatorUrl` is null, because Swagger UI would otherwise send the address of the description to another host.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#description",
  deepLinking: true,
  docExpansion: "list",
  validatorUrl: null,
});
