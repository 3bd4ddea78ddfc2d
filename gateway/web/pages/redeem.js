const image = document.getElementById("redeem");
const goOn = () => location.replace(document.getElementById("on").href);
if (image.complete) goOn();
else image.onload = image.onerror = goOn;
