// Runs before the first paint: the chosen theme and language, so that nothing flashes.
;(function () {
  var root = document.documentElement
  try {
    var theme = localStorage.getItem('kessai.theme')
    if (theme === 'light' || theme === 'dark') root.dataset.theme = theme
    var language = localStorage.getItem('kessai.language')
    if (!language) {
      var wanted = (navigator.language || 'ja').slice(0, 2)
      language = wanted === 'en' || wanted === 'zh' ? wanted : 'ja'
    }
    root.lang = language === 'zh' ? 'zh-CN' : language
  } catch {
    // Storage may be forbidden; the system's theme and Japanese are fine then.
  }
})()
