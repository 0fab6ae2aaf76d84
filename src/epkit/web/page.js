"use strict";

// In a file of its own: the content security policy allows no inline script.
window.addEventListener("load", () => {
  const executable = document.querySelector(".epkit").dataset.executable === "true";
  window.ui = window.SwaggerUIBundle({
    url: "/contract.json",
    dom_id: "#swagger-ui",
    layout: "BaseLayout",
    presets: [window.SwaggerUIBundle.presets.apis],
    validatorUrl: null,
    displayRequestDuration: true,
    // Without a target there is nothing to try.
    ...(executable ? {} : { supportedSubmitMethods: [] }),
  });
});
