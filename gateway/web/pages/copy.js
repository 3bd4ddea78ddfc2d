const button = document.getElementById("copy"), said = document.getElementById("copied");
button.hidden = !navigator.clipboard;
button.onclick = () => navigator.clipboard.writeText(document.getElementById("case").textContent).then(() => { said.textContent = button.dataset.done; });
