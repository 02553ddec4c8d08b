// Buttons that show a picture alone say their name to readers of the screen too.
window.addEventListener("load", () => {
  for (const button of document.querySelectorAll("button.copybtn")) button.ariaLabel = "Copy";
});
