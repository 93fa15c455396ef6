// Swagger UI on the document of this service; a file of its own, so that no page has inline script.
SwaggerUIBundle({
  url: document.getElementById("swagger-ui").dataset.url,
  dom_id: "#swagger-ui",
  deepLinking: true, // each operation has an address
  defaultModelsExpandDepth: 0,
  validatorUrl: null, // nothing leaves for another site
});
