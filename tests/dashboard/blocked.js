// Says aloud what the page's own policy of security (CSP) keeps it from doing.
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`blocked: ${event.effectiveDirective} ${event.blockedURI} ${event.sample}`);
});
